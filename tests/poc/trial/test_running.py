"""Order and estimates of units, with a clock that is moved by hand."""

from pathlib import Path

import pytest
from tests.poc.made_site import QUICK, Brightness, make_site

from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.evaluate.pictures import Key, Line
from kiridashi.poc.site import read_site
from kiridashi.poc.trial import Stop, Trial, open_source
from kiridashi.poc.trial.schedule import Unit, units


class Memory:
    def __init__(self) -> None:
        self.lines: dict[Key, Line] = {}

    def get(self, key: Key) -> Line | None:
        return self.lines.get(key)

    def append(self, line: Line) -> None:
        self.lines[line.key] = line


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Brightness):
    """Every answer takes a second of a clock."""

    clock = Clock()

    def predict(self, picture: Picture) -> Segments:
        Slow.clock.now += 1
        return super().predict(picture)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    file = read_site(make_site(tmp_path, QUICK.replace("shots: [1]", "shots: [1, 2]")))
    case = file.site.use_cases[0]
    makers = {"sharp": Slow, "wide": Slow}
    Slow.clock.now = 0
    return Trial(case, open_source(file, case), makers, Memory(), seed=0)


def test_a_small_set_comes_first_then_what_decides() -> None:
    order = units(["a"], [10, 3, 1], [0, 1])
    assert [(one.stage, one.shots, one.seed) for one in order] == [
        (1, 1, 0),
        (2, 10, 0),
        (2, 3, 0),
        (2, 10, 1),
        (2, 1, 1),
        (2, 3, 1),
    ]
    assert [one.method for one in units(["a", "b"], [1], [0])] == ["a", "b"]
    assert len(units(["a"], [1, 2], [0, 1])) == len(set(units(["a"], [1, 2], [0, 1]))) == 4


def test_without_an_end_everything_is_made_once(trial: Trial) -> None:
    trial.compare(Stop(None, Slow.clock))
    assert set(trial.questions()) == set(trial.store.lines)  # type: ignore[attr-defined]
    assert Slow.clock.now == len(trial.questions())
    assert all(map(trial.is_done, trial.units()))
    assert trial.left_out == []


def test_what_would_not_fit_in_is_not_begun(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", Slow.clock)
    # Two units of 16 answers, and no time for a third.
    trial.compare(Stop(40.0, Slow.clock))
    assert Slow.clock.now == 32
    assert Unit(2, 2, 0, "wide") in trial.left_out
    assert trial.is_done(Unit(1, 1, 0, "sharp"))


def test_a_unit_whose_time_nobody_knew_is_stopped_in_the_middle(trial: Trial) -> None:
    trial.compare(Stop(5.0, Slow.clock))
    assert Slow.clock.now == 6
    assert not trial.is_done(Unit(1, 1, 0, "sharp"))
    assert trial.left_out[0] == Unit(1, 1, 0, "sharp")


def test_transformed_pictures_are_those_of_the_test(trial: Trial) -> None:
    budget = trial.case.budget.model_copy(update={"robustness_pictures": 3})
    trial.case = trial.case.model_copy(update={"budget": budget})
    trial.transform("sharp", 2, Stop(None, Slow.clock))
    made = trial.transform_keys("sharp", 2)
    assert len(made) == 3 * 2
    assert set(made) == set(trial.store.lines)  # type: ignore[attr-defined]
    tested = {key.picture for key in trial.questions()}
    assert {key.picture for key in made} <= tested


def asked_again(trial: Trial, pictures: int = 3) -> None:
    budget = trial.case.budget.model_copy(update={"robustness_pictures": pictures})
    trial.case = trial.case.model_copy(update={"budget": budget})


def test_what_has_learned_answers_transformed_pictures_too(trial: Trial) -> None:
    asked_again(trial)
    trial.compare(Stop(None, Slow.clock))
    taught = Brightness.fits
    unit, keys = trial.transformed("sharp", 2), trial.transform_keys("sharp", 2)
    assert trial._taught(unit) == {"object"}
    assert trial._estimate(unit, keys, 3) < 1
    trial.transform("sharp", 2, Stop(None, Slow.clock))
    assert Brightness.fits == taught
    # Another run has nothing in memory.
    again = Trial(trial.case, trial.source, trial.makers, Memory(), seed=0)
    again.transform("sharp", 2, Stop(None, Slow.clock))
    assert Brightness.fits == taught + 1


def test_time_is_kept_for_transformed_pictures_but_no_more_than_they_need(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.perf_counter", Slow.clock)
    asked_again(trial)
    # Four units of 16 seconds, and 5 more: 2 transformed answers need no more, though 15 % would be 10.
    end = 4 * 16 + 5.0
    left_out = []
    for pictures in (1, 3):
        asked_again(trial, pictures)
        Slow.clock.now = 0
        made = Trial(trial.case, trial.source, trial.makers, Memory(), seed=0)
        made.compare(Stop(end, Slow.clock))
        left_out.append(made.left_out)
    assert left_out == [[], [Unit(2, 2, 0, "wide")]]
