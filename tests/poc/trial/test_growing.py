"""Classes taught one after another: which pictures are asked, in which order, and what a failure costs."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.poc.made_classes import COLOURS, SITE, ColourList, make_colours
from tests.poc.made_site import Brightness

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments
from kiridashi.evaluate.pictures import Key, Line
from kiridashi.poc.site import read_site
from kiridashi.poc.trial import Stop, Trial, growing, open_source
from kiridashi.poc.trial.growing import GrowingMaker, name_of


class Memory:
    """Lines that are not written anywhere."""

    def __init__(self) -> None:
        self.lines: dict[Key, Line] = {}

    def get(self, key: Key) -> Line | None:
        return self.lines.get(key)

    def append(self, line: Line) -> None:
        self.lines[line.key] = line


def trial_of(root: Path, text: str = SITE, make: GrowingMaker | None = ColourList) -> Trial:
    file = read_site(root / "site.yaml" if (root / "site.yaml").exists() else make_colours(root, text))
    case = file.site.use_cases[0]
    return Trial(case, open_source(file, case), {"sharp": Brightness}, Memory(), seed=1, growing=make)


def grown(trial: Trial) -> list[Line]:
    trial.grow(Stop())
    return [line for key in trial.growing_keys() if (line := trial.store.get(key)) is not None]


def test_classes_come_in_the_order_of_the_site_with_the_first_draw_and_the_most_shots(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    lessons = trial.lessons
    assert [(one.number, one.label) for one in lessons] == [(1, "green"), (2, "red"), (3, "blue")]
    draws = {one.label: one for one in trial.plan.draws() if one.shots == 2}
    assert all(one.shots == draws[one.label].supports for one in lessons)
    assert all(one.tests == draws[one.label].present[:6] for one in lessons)


def test_each_class_is_asked_after_its_own_and_every_later_addition(tmp_path: Path) -> None:
    lines = grown(trial_of(tmp_path))
    assert len(lines) == 6 * (3 + 2 + 1)
    asked = {(line.key.label, growing.step_of(line.key)) for line in lines}
    assert asked == {("green", 1), ("green", 2), ("green", 3), ("red", 2), ("red", 3), ("blue", 3)}
    assert all(
        line.error is None and line.score is not None and line.score.figures.iou == 1 for line in lines
    )
    # Once a picture, in turns of the classes.
    assert len(ColourList.looked) == len(set(ColourList.looked)) == 18
    assert [name[: name.index(".") - 2] for name in ColourList.looked[:6]] == ["green", "red", "blue"] * 2


def relabel(path: Path, value: int) -> None:
    mask = np.array(Image.open(path))
    Image.fromarray(np.where(mask > 0, value, 0).astype(np.uint8)).save(path)


def test_what_looks_like_a_sample_of_another_class_is_not_asked(tmp_path: Path) -> None:
    first, second, _ = trial_of(tmp_path).lessons
    folder, copy = tmp_path / "colours", first.tests[1]
    for part in ("images", "masks"):
        shutil.copy(folder / part / f"{second.shots[1]}.png", folder / part / f"{copy}.png")
    relabel(folder / "masks" / f"{copy}.png", 1 + list(COLOURS).index("green"))
    trial = trial_of(tmp_path)
    again = trial.lessons[0]
    assert again.shots == first.shots
    assert copy in next(one for one in trial.plan.draws() if one.label == "green").present
    assert copy not in again.tests
    assert len(again.tests) == 6


def test_a_sample_of_a_later_class_is_not_asked_for_an_earlier_one(tmp_path: Path) -> None:
    text = SITE.replace("test_pictures: 8", "test_pictures: 99").replace("pictures: 6", "pictures: 99")
    shot = trial_of(tmp_path, text).lessons[1].shots[0]
    path = tmp_path / "colours" / "masks" / f"{shot}.png"
    mask = np.array(Image.open(path))
    # The picture now shows both.
    mask[0, 0] = 1 + list(COLOURS).index("green")
    Image.fromarray(mask).save(path)
    trial = trial_of(tmp_path)
    assert shot in trial.lessons[1].shots
    assert shot in next(one for one in trial.plan.draws() if one.label == "green").present
    assert all(shot not in one.tests for one in trial.lessons)


def test_only_pictures_without_any_class_are_shown_as_background(tmp_path: Path) -> None:
    shown: list[str] = []

    class Noting(ColourList):
        def add(self, name: str, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
            shown.extend(one.picture.name for one in negatives)
            super().add(name, references)

    trial = trial_of(tmp_path, SITE.replace("repeats: 1", "repeats: 1, good_shots: 2"), Noting)
    grown(trial)
    assert len(shown) == 6
    assert all(name.startswith("good") for name in shown)


@pytest.mark.parametrize(
    "text",
    [
        SITE.replace("forgetting_pictures: 6", "forgetting_pictures: 0"),
        SITE.replace("[green, red, blue]", "merged"),
        SITE.replace("[green, red, blue]", "[red]"),
    ],
)
def test_without_a_second_class_or_where_nobody_asks_there_is_nothing_to_do(
    tmp_path: Path, text: str
) -> None:
    trial = trial_of(tmp_path, text)
    assert grown(trial) == []
    assert trial.growing_keys() == []


def broken(root: Path, names: Iterable[str]) -> None:
    for name in names:
        (root / "colours" / "images" / f"{name}.png").write_bytes(b"no picture")


def test_a_bad_test_picture_costs_its_own_lines(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    name = trial.lessons[0].tests[2]
    broken(tmp_path, [name])
    failed = [line for line in grown(trial) if line.error is not None]
    assert {(line.key.label, line.key.picture) for line in failed} == {("green", name)}
    assert len(failed) == 3


def test_a_class_that_cannot_be_taught_costs_its_own_lines_and_is_taught_later(tmp_path: Path) -> None:
    class Refusing(ColourList):
        def add(self, name: str, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
            if name == "red":
                raise UsageError("no red today")
            super().add(name, references)

    trial = trial_of(tmp_path, make=Refusing)
    lines = grown(trial)
    assert {line.key.label for line in lines if line.error == "no red today"} == {"red"}
    rest = [line for line in lines if line.error is None]
    assert {line.key.label for line in rest} == {"green", "blue"}
    assert {(line.provenance or {})["called"] for line in rest} == {"green", "blue"}
    # Answers of the shorter list are made again; those from before the gap stay.
    kept = [line for line in rest if growing.step_of(line.key) == 1]
    trial.growing = ColourList
    again = grown(trial)
    assert all(line.error is None for line in again)
    assert all(line in again for line in kept)
    assert len([line for line in again if line in rest]) == len(kept) == 6


def test_a_list_that_cannot_be_made_gives_its_reason(tmp_path: Path) -> None:
    def refuse() -> ColourList:
        raise UsageError("this model draws no masks")

    lines = grown(trial_of(tmp_path, make=refuse))
    assert len(lines) == 36
    assert {line.error for line in lines} == {"this model draws no masks"}


def test_what_is_there_is_not_asked_again(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    whole = grown(trial)
    ColourList.looked = []
    assert grown(trial) == whole
    assert ColourList.looked == []
    gone = [line for line in whole if line.key.picture in ("x", trial.lessons[1].tests[3])]
    for line in gone:
        del trial.store.lines[line.key]  # type: ignore[attr-defined]
    again = grown(trial)
    assert len(ColourList.looked) == 1
    told = [(line.key, line.score.mask, line.provenance) for line in again if line.score is not None]
    assert told == [(line.key, line.score.mask, line.provenance) for line in whole if line.score is not None]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_out_of_time_every_class_has_some_pictures(tmp_path: Path) -> None:
    clock = Clock()

    class Slow(ColourList):
        def answers(self, picture: object) -> list[Segments]:
            clock.now += 1
            return super().answers(picture)  # type: ignore[arg-type]

    trial = trial_of(tmp_path, make=Slow)
    trial.grow(Stop(7.5, clock))
    lines = trial.store.lines.values()  # type: ignore[attr-defined]
    assert {
        label: len({one.key.picture for one in lines if one.key.label == label})
        for label in ("green", "red", "blue")
    } == {
        "green": 3,
        "red": 3,
        "blue": 2,
    }
    assert [unit.name for unit in trial.left_out] == ["classes, 2 shots, seed 1, one after another"]


def test_time_is_kept_for_it(tmp_path: Path) -> None:
    clock = Clock()
    trial = trial_of(tmp_path)
    ends: list[float | None] = []
    trial._unit = lambda plan, unit, few, stop: ends.append(stop.at)  # type: ignore[method-assign]
    trial.compare(Stop(100.0, clock))
    assert set(ends) == {90.0}
    grown(trial)
    ends.clear()
    trial.compare(Stop(100.0, clock))
    assert set(ends) == {100.0}


def square(left: int, top: int, side: int) -> Mask:
    pixels = np.zeros((20, 20), dtype=bool)
    pixels[top : top + side, left : left + side] = True
    return Mask.from_array(pixels)


def test_an_object_is_called_what_fits_it_best() -> None:
    truth = square(4, 4, 6)
    near, large, beside = square(4, 4, 5), square(0, 0, 20), square(14, 14, 4)

    def called(**masks: Mask) -> str | None:
        return name_of(
            Segments((20, 20), tuple(Segment(mask, 1.0, name) for name, mask in masks.items())), truth
        )

    assert called(a=large, b=near, c=beside) == "b"
    assert called(a=large) == "a"
    assert called(c=beside) is None
    assert called() is None
