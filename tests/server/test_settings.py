"""Which of many metrics a page is told first."""

from hypothesis import given
from hypothesis import strategies as st

from runyard.server.settings import few_of_each

_KEYS = st.lists(
    st.builds(
        lambda section, name: f"{section}/{name}" if section else str(name),
        st.sampled_from("abc") | st.just(""),
        st.integers(0, 40),
    ),
    unique=True,
    max_size=60,
)


def test_a_metric_that_stands_alone_is_not_lost_among_thousands() -> None:
    layers = [(f"layer{i // 100}/weight{i % 100}", 1) for i in range(12_000)]

    few = few_of_each([*layers, ("loss", 1), ("val/loss", 1)], 500)

    assert len(few) == 500
    assert few[-2:] == [("loss", 1), ("val/loss", 1)]
    assert {key.partition("/")[0] for key, _ in few} == {f"layer{i}" for i in range(120)} | {"loss", "val"}


def test_what_a_project_is_judged_by_is_named_though_its_section_is_large() -> None:
    layers = [(f"layer/weight{i}", 1) for i in range(12_000)]

    few = few_of_each(layers, 500, wanted={"layer/weight9999"})

    assert len(few) == 500
    assert few[-1] == ("layer/weight9999", 1)


@given(_KEYS, st.integers(0, 60))
def test_every_section_has_its_share_and_the_order_stays(keys: list[str], most: int) -> None:
    metrics = [(key, 1) for key in keys]

    few = few_of_each(metrics, most)

    assert len(few) == min(most, len(metrics))
    assert few == [each for each in metrics if each in few]
    kept, lost = _by_section(few), _by_section([each for each in metrics if each not in few])
    assert all(kept.get(section, 0) >= max(kept.values(), default=0) - 1 for section in lost)


def _by_section(metrics: list[tuple[str, int]]) -> dict[str, int]:
    sections = [key.partition("/")[0] if "/" in key else "" for key, _ in metrics]
    return {section: sections.count(section) for section in sections}
