"""Which keys are logged together, and which step each series has reached.

`Run.log` wants one dictionary lookup and one `write`. So everything that depends on the keys alone is kept in a
`Layout`, found by the first key (hashing all twenty of them would cost as much as packing them). A layout whose
keys belong to no other layout remembers one step for all of them. As soon as two layouts have a key in common, the
steps of their keys are kept one by one (`SharedLayout`).
"""

from collections.abc import Iterable
from operator import itemgetter
from struct import Struct

from runyard.journal import JournalWriter
from runyard.journal import format as fmt

Keys = tuple[str, ...]


class Layout:
    """How a row of `keys`, which no other layout has, is packed; `last` is its latest step (-1: none yet)."""

    __slots__ = ("head", "keys", "last", "number", "pack", "size", "values_of")

    last: int

    def __init__(self, number: int, keys: Keys) -> None:
        self.number = number
        self.keys = keys
        self.size = fmt.ROW_OVERHEAD + 8 * len(keys)
        self.pack = Struct(f"<Qqq{len(keys)}d").pack  # the head is one constant, the same for all rows
        self.values_of = itemgetter(*keys)  # raises KeyError where one is missing
        self.head = int.from_bytes(fmt.HEAD.pack(fmt.KIND_ROW, 0, number, self.size), "little")


class Steps:
    """The latest step of each series whose key several layouts have.

    A loop mostly logs the same layout many times in a row; then only `step` changes, and the keys of `owner`
    get it when another layout has its turn.
    """

    __slots__ = ("_known", "owner", "step")

    def __init__(self, known: dict[str, int]) -> None:
        self._known = known
        self.owner: Layout | None = None
        self.step = -1

    def settled(self) -> dict[str, int]:
        """The step of every key."""
        if self.owner is not None:
            self._known.update(dict.fromkeys(self.owner.keys, self.step))
            self.owner = None
        return self._known


class SharedLayout(Layout):
    """Some keys are logged by other layouts too, so each has a step of its own in `steps`."""

    __slots__ = ("_steps",)

    def __init__(self, number: int, keys: Keys, steps: Steps) -> None:
        super().__init__(number, keys)
        self._steps = steps

    @property
    def last(self) -> int:  # a slot in the base class, looked up here
        """The latest step of all keys.

        Raises:
            DifferentSteps: they are not the same.
        """
        if self._steps.owner is self:
            return self._steps.step
        steps = self._steps.settled()
        last = steps[self.keys[0]]
        for key in self.keys:
            if steps[key] != last:
                raise DifferentSteps
        return last

    @last.setter
    def last(self, step: int) -> None:
        if self._steps.owner is not self:
            self._steps.settled()
            self._steps.owner = self
        self._steps.step = step


class DifferentSteps(Exception):
    """Keys logged together without a step have different next steps."""


class SeriesBook:
    """All layouts of one stream.

    Attributes:
        ones: layouts of a single key, by that key.
        firsts: layouts of several keys, by the first one; the latest used where several begin alike.
    """

    def __init__(self, writer: JournalWriter, steps: dict[str, int] | None = None) -> None:
        self.ones: dict[str, Layout] = {}
        self.firsts: dict[str, Layout] = {}
        self._layouts: dict[Keys, Layout] = {}
        self._writer = writer
        self._steps = Steps({} if steps is None else steps)  # only of keys that no layout has for itself
        self._owners: dict[str, Keys] = {}  # key -> the layout that alone has it

    def layout(self, keys: Keys) -> Layout:
        """The layout of `keys`, declared in the journal if it is new; the fast path will find it."""
        layout = self._layouts.get(keys) or self._declare(keys)
        if len(keys) > 1:
            self.firsts[keys[0]] = layout
        return layout

    def last(self, key: str) -> int:
        """The latest step of one series; -1 before the first."""
        owner = self._owners.get(key)
        return self._layouts[owner].last if owner else self._steps.settled().get(key, -1)

    def by_next_step(self, keys: Iterable[str]) -> dict[int, list[str]]:
        """The keys, gathered by their next step."""
        groups: dict[int, list[str]] = {}
        for key in keys:
            groups.setdefault(self.last(key) + 1, []).append(key)
        return groups

    def steps(self) -> dict[str, int]:
        """The latest step of every series, for a forked child that goes on with them."""
        known = dict(self._steps.settled())
        for key, owner in self._owners.items():
            known[key] = self._layouts[owner].last
        return known

    def _declare(self, keys: Keys) -> Layout:
        number = self._writer.declare(keys).number
        known = [self.last(key) for key in keys]
        others = {self._owners[key] for key in keys if key in self._owners}
        if not others and len(set(known)) == 1 and not any(key in self._steps.settled() for key in keys):
            layout = Layout(number, keys)
            layout.last = known[0]
            self._owners.update(dict.fromkeys(keys, keys))
        else:
            for other in others:
                self._share(other)
            self._steps.settled().update(zip(keys, known, strict=True))
            layout = SharedLayout(number, keys, self._steps)
        self._keep(layout)
        return layout

    def _share(self, keys: Keys) -> None:
        """From now on the keys of this layout keep their steps one by one."""
        alone = self._layouts[keys]
        shared = SharedLayout(alone.number, keys, self._steps)
        shared.last = alone.last
        self._keep(shared)
        for key in keys:
            del self._owners[key]

    def _keep(self, layout: Layout) -> None:
        keys = layout.keys
        self._layouts[keys] = layout
        if len(keys) == 1:
            self.ones[keys[0]] = layout
        else:
            self.firsts[keys[0]] = layout
