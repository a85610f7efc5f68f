"""Sacred: an observer for its experiments, its runs in, ours out for Omniboard.

`RunyardObserver` needs Sacred, which nothing else here does, so it is imported when it is first asked for.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard.bridges.sacred.observer import RunyardObserver

__all__ = ["RunyardObserver"]


def __getattr__(name: str) -> object:
    if name != "RunyardObserver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runyard.bridges.sacred.observer import RunyardObserver

    return RunyardObserver
