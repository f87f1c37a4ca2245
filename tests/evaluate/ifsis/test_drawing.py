from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.drawing import draw_instances
from kiridashi.evaluate.ifsis.instances import Instance, MarkedPicture


@dataclass(frozen=True)
class Herds:
    instances: dict[str, tuple[Instance, ...]]
    name: str = "herds"

    def read(self, picture: str) -> MarkedPicture:
        raise AssertionError("nothing is read to draw")


def herds(sizes: list[int], crowds: int = 0) -> Herds:
    every = {
        f"p{index}": tuple(
            Instance(f"p{index}", number, "cow", crowd=number > size)
            for number in range(1, size + crowds + 1)
        )
        for index, size in enumerate(sizes)
    }
    return Herds(every | {"empty": (Instance("empty", 1, "cat"),)})


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 2), st.integers(0, 99), st.data())
def test_draws_are_exact_without_crowds_and_grow_from_fewer(
    sizes: list[int], crowds: int, seed: int, data: st.DataObject
) -> None:
    source = herds(sizes, crowds)
    count = data.draw(st.integers(1, sum(sizes)))
    drawn = draw_instances(source, "cow", count, seed)
    assert len(drawn) == len(set(drawn)) == count
    assert all(one.label == "cow" and not one.crowd for one in drawn)
    for fewer in range(1, count):
        assert draw_instances(source, "cow", fewer, seed) == drawn[:fewer]
    # Every picture but the last gives all it has.
    per_picture = Counter(one.picture for one in drawn)
    whole = [
        per_picture[name] == sum(not one.crowd for one in source.instances[name]) for name in per_picture
    ]
    assert sum(not each for each in whole) <= 1


def test_seeds_differ_and_a_class_does_not_depend_on_the_others() -> None:
    source = herds([1] * 20)
    draws = {draw_instances(source, "cow", 3, seed) for seed in range(6)}
    assert len(draws) > 3
    more = Herds(source.instances | {"q": (Instance("q", 1, "dog"),)})
    assert draw_instances(more, "cow", 5, 0) == draw_instances(source, "cow", 5, 0)


def test_all_or_too_many() -> None:
    source = herds([2, 3])
    assert len(draw_instances(source, "cow", None, 0)) == 5
    with pytest.raises(UsageError, match="5 instances of 'cow', 6 were asked"):
        draw_instances(source, "cow", 6, 0)
    with pytest.raises(UsageError):
        draw_instances(source, "cow", 0, 0)
    with pytest.raises(UsageError):
        draw_instances(source, "bear", None, 0)
