from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.classes.states import WIDTH, Vectors, state_of

from kiridashi.classes.drift_plot import MOST_LINES, MOST_POINTS, draw
from kiridashi.classes.monitoring import FIRST_ROWS, Drift, Verdict, drift, thin_out
from kiridashi.classes.registry import Event, EventKind, Registry, Sample, Statistic
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

START = datetime(2026, 1, 1, tzinfo=UTC)
STATE = state_of({"nut": ([[1, 0, 0], [1, 0.5, 0]], []), "bolt": ([[0, 0, 1]], [[0, 0.5, 1]])})


def event(number: int, kind: EventKind, minutes: float = 0, **facts: object) -> Event:
    return Event(number, kind, START + timedelta(minutes=minutes), "me", "", facts, "compact", "f1")


HISTORY = [event(1, EventKind.CREATE), event(2, EventKind.ADD), event(3, EventKind.ADD)]


def seen(
    minute: int,
    score: float,
    *,
    distance: float = 0.2,
    unknown: int = 0,
    identity: int = 2,
    name: str = "nut",
) -> list[Statistic]:
    time, digest = START + timedelta(minutes=minute + 1), f"{minute}"
    return [
        Statistic(time, "a.png", digest, name, score, 0, distance, identity),
        Statistic(time, "a.png", digest, None, None, unknown),
    ]


def series(scores: list[float], **more: Any) -> list[Statistic]:
    return [row for minute, score in enumerate(scores) for row in seen(minute, score, **more)]


def noisy(count: int, mean: float, seed: int = 0) -> list[float]:
    drawn = np.random.default_rng(seed).normal(mean, 0.05, count).clip(0, 1)
    return [float(value) for value in drawn]


def of(found: Drift, name: str = "nut") -> tuple[Verdict, Verdict]:
    one = next(one for one in found.classes if one.name == name)
    return one.score.verdict, one.distance.verdict


def test_a_fall_of_scores_is_a_drift_of_that_class_alone() -> None:
    found = drift(STATE, HISTORY, series(noisy(60, 0.9) + noisy(60, 0.7, 1)))
    assert of(found) == (Verdict.LOWER, Verdict.STEADY)
    assert of(found, "bolt") == (Verdict.TOO_FEW, Verdict.TOO_FEW)
    nut = found.classes[0]
    assert nut.score.then == pytest.approx(0.9, abs=0.02)
    assert nut.score.now == pytest.approx(0.7, abs=0.02)
    assert nut.worse
    assert found.worse
    assert not found.classes[1].worse


def test_higher_scores_are_no_reason_to_worry() -> None:
    found = drift(STATE, HISTORY, series(noisy(60, 0.7) + noisy(60, 0.9, 1)))
    assert of(found)[0] is Verdict.HIGHER
    assert not found.worse


@pytest.mark.parametrize("seed", range(20))
def test_chance_alone_is_no_drift(seed: int) -> None:
    found = drift(STATE, HISTORY, series(noisy(100, 0.8, seed)))
    assert of(found) == (Verdict.STEADY, Verdict.STEADY)


def test_distance_and_unknown_things_drift_by_themselves() -> None:
    rows = [
        row for n in range(40) for row in seen(n, 0.8, distance=0.2 + 0.2 * (n >= 20), unknown=3 * (n >= 20))
    ]
    found = drift(STATE, HISTORY, rows)
    assert of(found) == (Verdict.STEADY, Verdict.HIGHER)
    assert (found.unknown.then, found.unknown.now, found.unknown.verdict) == (0.0, 0.75, Verdict.HIGHER)
    assert found.pictures == 40


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (event(4, EventKind.ADD_SHOTS, 60.5, **{"class": 2}), Verdict.STEADY),
        (event(4, EventKind.ADD_SHOTS, 60.5, **{"class": 3}), Verdict.LOWER),
        (event(4, EventKind.REBUILD, 60.5), Verdict.STEADY),
        (event(4, EventKind.ROLL_BACK, 60.5), Verdict.STEADY),
        (event(4, EventKind.RENAME, 60.5, **{"class": 2}), Verdict.LOWER),
    ],
)
def test_what_was_seen_before_a_change_of_the_class_does_not_count(change: Event, verdict: Verdict) -> None:
    found = drift(STATE, [*HISTORY, change], series(noisy(60, 0.9) + noisy(60, 0.7, 1)))
    assert of(found)[0] is verdict


def test_few_values_are_not_judged_and_none_are_no_error() -> None:
    assert of(drift(STATE, HISTORY, series([0.9] * 9 + [0.1] * 9)))[0] is Verdict.TOO_FEW
    assert of(drift(STATE, HISTORY, series([0.9] * 10 + [0.1] * 10)))[0] is Verdict.LOWER
    nothing = drift(STATE, HISTORY, [])
    assert (nothing.pictures, nothing.unknown.then, nothing.worse) == (0, None, False)
    with pytest.raises(UsageError, match="at least 10"):
        drift(STATE, HISTORY, [], window=9)


def test_a_renamed_class_keeps_what_was_seen_and_a_new_one_of_its_name_does_not_get_it() -> None:
    found = drift(STATE, HISTORY, series([0.8] * 30, identity=2) + series([0.3] * 30, identity=99))
    assert found.classes[0].count == 30
    assert found.classes[0].score.now == pytest.approx(0.8)


def test_the_distance_at_registration() -> None:
    nut, bolt = drift(STATE, HISTORY, []).classes
    # Two shots: their distance; one shot with a held-aside sample: the distance to it.
    assert nut.registered == pytest.approx(1 - 1 / np.sqrt(1.25), abs=1e-6)
    assert bolt.registered == pytest.approx(1 - 1 / np.sqrt(1.25), abs=1e-6)
    assert drift(state_of({"nut": ([[1, 0, 0]], [])}), HISTORY, []).classes[0].registered is None


def test_the_plot_is_an_svg_with_a_line_for_each_class() -> None:
    rows = series(noisy(30, 0.9)) + series(noisy(30, 0.6), identity=3)
    names: dict[str, tuple[Vectors, Vectors]] = {"<nut> & co": ([[1, 0, 0]], []), "bolt": ([[0, 0, 1]], [])}
    picture = ElementTree.fromstring(draw(drift(state_of(names), HISTORY, rows)))
    tag = "{http://www.w3.org/2000/svg}"
    # Scores and distances of two classes, and the unknown things.
    assert len(picture.findall(f"{tag}polyline")) == 5
    assert "<nut> & co" in [text.text for text in picture.iter(f"{tag}text")]
    for line in picture.findall(f"{tag}polyline"):
        points = np.array([point.split(",") for point in line.attrib["points"].split()], float)
        assert (points >= 0).all()
        assert points[:, 0].max() <= float(picture.attrib["width"])
        assert points[:, 1].max() <= float(picture.attrib["height"])


def test_a_plot_of_nothing_and_of_one_moment() -> None:
    assert "nothing was recorded" in draw(drift(STATE, HISTORY, []))
    assert "<polyline" in draw(drift(STATE, HISTORY, seen(0, 0.5)))


def test_a_plot_of_years_is_no_larger_than_one_of_weeks() -> None:
    drawn = draw(drift(STATE, HISTORY, series(noisy(5 * MOST_POINTS, 0.8))))
    # Scores and distances, the unknown things, and the sign of the class beside the panels.
    assert drawn.count("<circle") == 3 * MOST_POINTS + 1
    few = draw(drift(STATE, HISTORY, series([0.8, 0.4])))
    assert few.count("<circle") == 3 * 2 + 1


def test_very_many_rows_are_thinned_out_and_the_drift_stays_the_same(tmp_path: Path) -> None:
    with Registry.create(tmp_path / "r", "compact", "f1", WIDTH) as registry:
        pixels = np.zeros((4, 4, 3), np.uint8)
        sample = Sample(Picture(pixels, "a.png"), Mask.from_array(np.ones((4, 4), bool)), np.ones(WIDTH))
        identity = registry.add("nut", [sample]).id
        begin = registry.history()[-1].time
        rows = []
        for number in range(900):
            time, digest = begin + timedelta(minutes=number + 1), f"{number}"
            score = 0.9 - 0.0004 * number
            rows.append(Statistic(time, "a.png", digest, "nut", score, 0, 0.2, identity))
            rows.append(Statistic(time, "a.png", digest, None, None, number % 5))
        registry.record_statistics(rows)
        before = drift(registry.state(), registry.history(), registry.statistics())
        assert thin_out(registry, most=2000, newest=500) == 0
        gone = thin_out(registry, most=1000, newest=500)
        kept = registry.statistics()
        assert gone == len(rows) - len(kept) == 2 * (900 - FIRST_ROWS - 250)
        assert kept == [*rows[: 2 * FIRST_ROWS], *rows[-500:]]
        after = drift(registry.state(), registry.history(), kept)
        assert (before.classes[0].score, before.unknown) == (after.classes[0].score, after.unknown)
        # Those before the class's last change are compared with nothing any more.
        registry.drop_statistics({identity: begin + timedelta(minutes=100)}, newest=500, first=50)
        assert registry.statistics() == [*rows[2 * 99 : 2 * 149], *rows[-500:]]
        assert registry.drop_statistics({}, newest=0, first=50) == 600
        assert registry.statistics_count() == 0


def test_a_plot_of_many_classes_shows_those_that_moved() -> None:
    names: dict[str, tuple[Vectors, Vectors]] = {
        f"class {n}": ([[1, n, 0]], []) for n in range(MOST_LINES + 4)
    }
    history = [event(1, EventKind.CREATE), *(event(n + 2, EventKind.ADD) for n in range(len(names)))]
    rows = [row for n in range(len(names)) for row in series([0.8] * 20, identity=n + 2)]
    rows += [row for minute in range(20, 40) for row in seen(minute, 0.2, identity=len(names) + 1)]
    rows += [row for minute in range(20, 40) for row in seen(minute, 0.2, identity=len(names) + 1)]
    drawn = draw(drift(state_of(names), history, rows))
    assert f"class {len(names) - 1} (worse)" in drawn
    assert drawn.count("<polyline") == 2 * MOST_LINES + 1
