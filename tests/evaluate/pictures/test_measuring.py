import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.evaluate.pictures.discs import ByColour, Discs, Everything

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments
from kiridashi.evaluate.episodes import Example
from kiridashi.evaluate.pictures import Key, Line, Plan, measure

SOURCE = Discs()
PLAN = Plan(SOURCE, {"colour": ByColour, "everything": Everything}, shots=(1, 3), seeds=(0, 1), negatives=1)


def test_every_key_has_one_line_with_its_figures() -> None:
    ByColour.fits.clear()
    lines = list(measure(PLAN, debug=True))
    assert sorted(line.key for line in lines) == sorted(PLAN.keys())
    assert len({line.key for line in lines}) == len(lines)
    # Two classes, two numbers of shots, two seeds: learned once each, with a picture of something else.
    assert [len(names) for names in ByColour.fits] == [2, 4, 2, 4] * 2
    for line in lines:
        assert line.score is not None
        assert line.there == line.key.picture.startswith(line.key.label)
        if line.key.method == "colour":
            assert line.score.said == line.there
            assert line.score.figures.iou == 1
            assert line.provenance == {"by": "colour"}
        else:
            assert line.score.said
            assert line.score.score == 1
            assert (line.score.figures.recall == 1) == line.there
        assert line.score.objects.wanted == line.there
        assert not {line.key.picture} & {*line.supports, *line.negatives}


def test_lines_survive_their_file() -> None:
    lines = list(measure(replace(PLAN, shots=(1,), seeds=(0,), most=2)))
    for line in lines:
        again = Line.from_json(json.loads(json.dumps(line.to_json())))
        assert again.to_json() == line.to_json()
        assert again.score is not None
        assert line.score is not None
        assert again.score.mask == line.score.mask
    with pytest.raises(InputError, match="not one of this comparison"):
        Line.from_json({"set": "discs"})


def test_what_is_known_is_not_asked_again_until_the_pictures_change() -> None:
    plan = replace(PLAN, shots=(1,), seeds=(0,))
    known = {line.key: line for line in measure(plan)}
    assert plan.pending(known.get) == 0
    assert list(measure(plan, known.get)) == []
    lost = next(iter(known))
    del known[lost]
    assert [line.key for line in measure(plan, known.get)] == [lost]
    other = Discs()
    other.fingerprint = "changed"
    assert len(list(measure(replace(plan, source=other), known.get))) == len(plan.keys())
    wider = replace(PLAN, shots=(1, 2), seeds=(0,))
    known = {line.key: line for line in measure(plan)}
    fresh = [line.key for line in measure(wider, known.get)]
    assert {key.shots for key in fresh} == {2}


class Failing(ByColour):
    """Cannot learn from, or answer, some pictures."""

    def predict(self, picture: Picture) -> Segments:
        if picture.name == "red5":
            raise ZeroDivisionError("nobody expected this")
        if picture.name == "bare1":
            return Segments((3, 3))
        return super().predict(picture)


def test_what_fails_is_named_and_the_others_go_on() -> None:
    source = Discs()
    source.torn = frozenset({"bare2"})
    plan = replace(PLAN, source=source, methods={"failing": Failing}, shots=(1,), seeds=(4,), negatives=0)
    lines = {line.key.picture: line for line in measure(plan) if line.key.label == "red"}
    errors = {name: line.error for name, line in lines.items() if line.error}
    assert "no picture" in (errors.pop("bare2") or "")
    assert "(3, 3)" in (errors.pop("bare1") or "")
    if "red5" in lines:
        assert "unexpected ZeroDivisionError" in (errors.pop("red5") or "")
    assert errors == {}
    assert all(line.score is None for line in lines.values() if line.error)


def test_a_torn_shot_fails_its_fit_alone() -> None:
    source = Discs()
    (shot,) = {one.supports for one in replace(PLAN, shots=(1,), seeds=(0,)).draws() if one.label == "red"}
    source.torn = frozenset(shot)
    plan = replace(PLAN, source=source, shots=(1,), seeds=(0,), negatives=0)
    lines = list(measure(plan))
    assert all(
        (line.error is not None) == (line.key.label == "red")
        for line in lines
        if line.key.picture not in shot
    )


def test_defects_come_through_when_they_are_looked_for() -> None:
    plan = replace(PLAN, methods={"failing": Failing}, shots=(3,), seeds=(0, 1, 2, 3))
    with pytest.raises((ZeroDivisionError, InputError)):
        for _ in measure(plan, debug=True):
            pass


def test_a_method_that_refuses_its_use_ends_the_run() -> None:
    class Refusing(ByColour):
        def fit(self, *_: Any) -> Any:
            raise UsageError("this model has no memory")

    with pytest.raises(UsageError, match="no memory"):
        list(measure(replace(PLAN, methods={"refusing": Refusing})))
    with pytest.raises(UsageError, match="at least one method"):
        replace(PLAN, methods={})


class Specks(Everything):
    """Calls so many pixels the object, and gives no verdict."""

    pixels = 3

    def predict(self, picture: Picture) -> Segments:
        few = np.zeros(picture.size, dtype=bool)
        few.flat[: self.pixels] = True
        return Segments(picture.size, (Segment(Mask.from_array(few), 0.5, "object"),))


@pytest.mark.parametrize(("pixels", "said"), [(3, False), (20, True)])
def test_specks_are_no_alarm(pixels: int, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disc has 113 pixels: a method without a verdict says "there" from a tenth of that on."""
    monkeypatch.setattr(Specks, "pixels", pixels)
    scores = [
        line.score for line in measure(replace(PLAN, methods={"specks": Specks}, shots=(1,), seeds=(0,)))
    ]
    assert {score.said for score in scores if score is not None} == {said}
    assert {score.mask.is_empty for score in scores if score is not None} == {not said}
    assert {score.score for score in scores if score is not None} == {pixels / 32**2}


def dark(example: Example) -> Example:
    return Example(Picture(example.picture.pixels // 4, example.picture.name), example.mask, example.ignore)


def gone(example: Example) -> Example:
    bare = Mask.empty(example.picture.size)
    return Example(Picture(example.picture.pixels * 0, example.picture.name), bare, bare)


def test_views_change_what_is_measured_and_never_what_is_shown() -> None:
    ByColour.fits.clear()
    plan = replace(
        PLAN,
        methods={"colour": ByColour},
        shots=(1,),
        seeds=(0,),
        views={"": lambda one: one, "dark": dark, "gone": gone},
    )
    lines = {line.key: line for line in measure(plan)}
    assert len(ByColour.fits) == 2
    assert len(lines) == len(plan.keys())
    for key, line in lines.items():
        assert line.score is not None
        assert line.score.said == (line.there and key.view == "")
        if key.view == "gone":
            assert not line.there
    assert {key.view for key in lines} == {"", "dark", "gone"}
    assert isinstance(next(iter(lines)), Key)
