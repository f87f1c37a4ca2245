from dataclasses import replace

import numpy as np
import pytest
from tests.evaluate.pictures.discs import ByColour, Discs, Everything

from kiridashi.evaluate.intervals import Standing
from kiridashi.evaluate.pictures import ALL, Line, Plan, Row, measure, summarise
from kiridashi.evaluate.pictures.measures import MEASURES
from kiridashi.evaluate.pictures.resampling import draw_weights, interval

SOURCE = Discs()
PLAN = Plan(
    SOURCE,
    {"colour": ByColour, "half": lambda seed: ByColour(seed, shrink=13), "everything": Everything},
    shots=(1, 3),
    seeds=(0, 1),
)


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return list(measure(PLAN, debug=True))


@pytest.fixture(scope="module")
def rows(lines: list[Line]) -> list[Row]:
    return summarise(lines, list(PLAN.methods), resamples=200)


def test_rows_come_in_order_means_first(rows: list[Row]) -> None:
    assert [(row.label, row.shots) for row in rows[::3]] == [
        (ALL, 1),
        (ALL, 3),
        ("red", 1),
        ("red", 3),
        ("blue", 1),
        ("blue", 3),
    ]
    assert [row.method for row in rows[:3]] == ["colour", "half", "everything"]


def test_figures_are_means_over_the_pictures_with_the_class(rows: list[Row], lines: list[Line]) -> None:
    row = next(row for row in rows if (row.label, row.shots, row.method) == ("red", 1, "half"))
    chosen = [
        line
        for line in lines
        if (line.key.label, line.key.shots, line.key.method) == ("red", 1, "half") and line.score is not None
    ]
    there = [line.score for line in chosen if line.there and line.score is not None]
    assert row.figures["iou"].mean == pytest.approx(np.mean([score.figures.iou for score in there]))
    pixels = np.array([line.score.pixels for line in chosen if line.score is not None]).sum(axis=0)
    assert row.figures["pooled_iou"].mean == pytest.approx(pixels[0] / pixels[1])
    assert (row.pictures[1], row.draws, row.failed) == (9, 2, 0)
    assert row.figures["iou"].count == row.pictures[0]
    assert row.figures["quiet"].count == 9
    for name, figure in row.figures.items():
        assert figure.low <= figure.mean + 1e-9, name
        assert figure.mean <= figure.high + 1e-9, name


def test_what_finds_everything_is_never_quiet(rows: list[Row]) -> None:
    perfect, _, everything = rows[:3]
    assert {perfect.figures[name].mean for name in ("iou", "ap", "found", "quiet", "auroc")} == {1}
    assert everything.figures["found"].mean == 1
    assert everything.figures["quiet"].mean == 0
    assert everything.figures["auroc"].mean == pytest.approx(0.5)
    assert everything.figures["pooled_iou"].mean < everything.figures["iou"].mean < 0.3


def test_the_mean_weighs_classes_alike(rows: list[Row]) -> None:
    whole, red, blue = (
        next(row for row in rows if (row.label, row.shots, row.method) == (label, 1, "half"))
        for label in (ALL, "red", "blue")
    )
    for name in ("iou", "hd95", "quiet"):
        expected = (red.figures[name].mean + blue.figures[name].mean) / 2
        assert whole.figures[name].mean == pytest.approx(expected)


def test_each_method_is_compared_with_the_first(rows: list[Row]) -> None:
    perfect, half, everything = rows[:3]
    assert perfect.lead == {}
    for row in (half, everything):
        assert row.lead["iou"].standing is Standing.BEHIND
        expected = row.figures["iou"].mean - perfect.figures["iou"].mean
        assert row.lead["iou"].difference.mean == pytest.approx(expected)
        # Lower is better there.
        assert row.lead["hd95"].difference.mean > 0
        assert row.lead["hd95"].standing is Standing.BEHIND


def test_a_failed_answer_leaves_the_pair(lines: list[Line]) -> None:
    lost = next(line for line in lines if line.key.method == "half" and line.there)
    others = [line for line in lines if line is not lost]
    some = [*others, replace(lost, score=None, error="torn")]
    row = next(
        row
        for row in summarise(some, list(PLAN.methods), measures=["iou"], resamples=50)
        if (row.label, row.shots, row.method) == (lost.key.label, lost.key.shots, "half")
    )
    assert row.failed == 1
    both = [
        (ours.score.figures.iou, theirs.score.figures.iou)
        for ours in others
        for theirs in others
        if ours.key._replace(method="") == theirs.key._replace(method="")
        and (ours.key.method, theirs.key.method) == ("half", "colour")
        and (ours.key.label, ours.key.shots) == (lost.key.label, lost.key.shots)
        and ours.there
        and ours.score is not None
        and theirs.score is not None
    ]
    expected = np.mean([ours - theirs for ours, theirs in both])
    assert row.lead["iou"].difference.mean == pytest.approx(expected)


def test_without_pictures_of_a_kind_there_is_no_figure(lines: list[Line]) -> None:
    present = [line for line in lines if line.there]
    row = summarise(present, ["colour"], resamples=50)[0]
    assert not {"quiet", "auroc"} & set(row.figures)
    assert "iou" in row.figures
    assert summarise([], ["colour"]) == []


def test_weights_keep_pictures_and_seeds_together(lines: list[Line]) -> None:
    keys = [line.key for line in lines]
    weights = draw_weights(keys, resamples=30, seed=1)
    drawn = weights.of(keys)
    assert (drawn[0] == 1).all()
    assert weights.of_pictures[1:].sum(axis=1) == pytest.approx(weights.of_pictures.shape[1])
    assert np.array_equal(drawn, draw_weights(keys, resamples=30, seed=1).of(keys))
    place = keys.index(keys[5]._replace(method=keys[5].method))
    same = [
        n for n, key in enumerate(keys) if (key.picture, key.seed) == (keys[place].picture, keys[place].seed)
    ]
    assert len(same) > 1
    assert (drawn[:, same] == drawn[:, [place]]).all()


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Means of 30 pictures under 3 seeds whose shots matter: the truth lies inside about 95 times in 100."""
    inside = 0
    for trial in range(40):
        rng = np.random.default_rng(trial)
        pictures, seeds = rng.normal(0, 1, 30), rng.normal(0, 0.1, 3)
        values = (pictures[:, None] + seeds).ravel()
        keys = [PLAN.keys()[0]._replace(picture=f"{p}", seed=s) for p in range(30) for s in range(3)]
        weights = draw_weights(keys, resamples=300, seed=trial).of(keys)
        figure = interval(weights @ values / weights.sum(axis=1), 30)
        assert figure is not None
        inside += figure.low <= 0 <= figure.high
    assert 33 <= inside <= 40


def test_measures_say_what_is_better() -> None:
    assert {name for name, one in MEASURES.items() if not one.higher_is_better} == {"hd95", "mae"}
