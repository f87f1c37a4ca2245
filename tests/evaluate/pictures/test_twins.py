import numpy as np
import pytest
from tests.evaluate.pictures.discs import ByColour, Discs

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.pictures.drawing import draw
from kiridashi.evaluate.pictures.measuring import Plan
from kiridashi.evaluate.pictures.sets import leave_out
from kiridashi.evaluate.pictures.twins import MOST_ALIKE, find_twins, look_through


class Textures(Discs):
    """Each picture a texture of its own, but the exposures `red1` and `red2` of `red0`."""

    def __init__(self, same: tuple[str, ...] = ("red0", "red1", "red2")) -> None:
        self.same = same

    def read(self, name: str, label: str) -> Example:
        example = super().read(name, label)
        seed = tuple(self.same[0].encode()) if name in self.same else tuple(name.encode())
        texture = np.random.default_rng(seed).integers(0, 256, (4, 4)).repeat(8, 0).repeat(8, 1)
        exposure = 0.5 + 0.1 * int(name[-1])
        pixels = np.repeat((texture * exposure).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
        return Example(Picture(pixels, name), example.mask, Mask.empty(example.mask.size))


def test_exposures_of_one_thing_are_twins_and_others_are_not() -> None:
    assert find_twins(Textures()) == {
        "red0": {"red1", "red2"},
        "red1": {"red0", "red2"},
        "red2": {"red0", "red1"},
    }


@pytest.mark.parametrize("seed", range(6))
def test_what_looks_like_a_shot_is_not_measured(seed: int) -> None:
    twins = find_twins(Textures())
    for one in draw(Textures(), (1, 3), (seed,), twins=twins):
        largest = max(
            draw(Textures(), (1, 3), (seed,), twins=twins), key=lambda d: (d.label == one.label, d.shots)
        )
        for name, _ in one.targets:
            assert twins.get(name, frozenset()).isdisjoint(largest.supports)


def test_more_shots_that_leave_too_little_are_left_out() -> None:
    twins = {name: frozenset(Textures.classes["blue"]) - {name} for name in Textures.classes["blue"]}
    drawn = draw(Textures(), (1, 3), (0,), twins=twins)
    assert [(one.label, one.shots) for one in drawn] == [("red", 1), ("red", 3)]


def test_a_camera_that_does_not_move_makes_no_twins() -> None:
    names = (*(f"red{n}" for n in range(8)), "blue0")
    assert len(names) > MOST_ALIKE
    assert find_twins(Textures(names)) == {}


def test_a_picture_that_cannot_be_read_has_no_twins_and_is_named() -> None:
    source = Textures()
    source.torn = frozenset({"red0"})
    looked = look_through(source)
    assert looked.twins.keys() == {"red1", "red2"}
    assert looked.unreadable == {"red0": "red0.png: this is no picture"}


def test_what_is_left_out_is_neither_shown_nor_measured() -> None:
    source = Textures()
    assert leave_out(source, ()) is source
    rest = leave_out(source, {"red0", "bare1"})
    for one in draw(rest, (1, 3), tuple(range(8))):
        asked = {*one.supports, *one.negatives, *(name for name, _ in one.targets)}
        assert asked.isdisjoint({"red0", "bare1"})
    assert rest.classes["red"] == source.classes["red"][1:]
    assert rest.read("red1", "red").mask == source.read("red1", "red").mask


def test_a_comparison_keeps_twins_apart() -> None:
    plan = Plan(Textures(), {"colour": ByColour}, (1,), tuple(range(8)))
    kept = [one for one in plan.draws() if set(one.supports) & {"red0", "red1", "red2"}]
    assert kept
    for one in kept:
        assert not {"red0", "red1", "red2"} & {name for name, _ in one.targets}
