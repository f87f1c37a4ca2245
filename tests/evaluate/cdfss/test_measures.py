import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.cdfss.measures import (
    Sample,
    fb_iou,
    in_common,
    intervals,
    mean_iou,
    miou,
    paired_intervals,
)
from kiridashi.evaluate.episodes import Episode
from kiridashi.evaluate.metrics import CumulativeIou, Overlap

EMPTY = Mask.empty((1, 1))


def line(
    index: int, label: str, inside: int, union: int, total: int = 100, method: str = "m", seed: int = 0
) -> Line:
    counts = Overlap(inside, union, total - union, total)
    return Line(Key("set", 1, seed, index, method), Episode(index, label, "q", ("s",)), "", counts, EMPTY)


def failed(index: int, label: str = "a", method: str = "m") -> Line:
    return Line(Key("set", 1, 0, index, method), Episode(index, label, "q", ("s",)), "", error="no")


def random_lines(count: int, seed: int, method: str = "m") -> list[Line]:
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        union = int(rng.integers(1, 90))
        made.append(line(index, "abc"[index % 3], int(rng.integers(0, union + 1)), union, 100, method))
    return made


def test_by_hand() -> None:
    """Class a: (10 + 0) / (20 + 30) = 0.2; class b: 40 / 40 = 1. Pooled: 50 / 90 and 210 / 250."""
    sample = Sample.of([line(0, "a", 10, 20), line(1, "b", 40, 40), line(2, "a", 0, 30), failed(3)])
    ones = np.ones((1, 3))
    assert miou(sample, ones)[0] == pytest.approx(0.6)
    assert fb_iou(sample, ones)[0] == pytest.approx((50 / 90 + 210 / 250) / 2)
    assert mean_iou(sample, ones)[0] == pytest.approx((0.5 + 1 + 0) / 3)


def test_an_empty_union_counts_as_zero_in_the_cumulative_measure() -> None:
    assert miou(Sample.of([line(0, "a", 0, 0)]), np.ones((1, 1)))[0] == 0


def test_equals_the_running_sums() -> None:
    lines = random_lines(50, 0)
    sums = CumulativeIou()
    for each in lines:
        assert each.counts is not None
        sums.add(each.episode.label, each.counts)
    found = intervals([Sample.of(lines)], [miou, fb_iou])
    assert [each.mean for each in found] == pytest.approx([sums.miou, sums.fb_iou])


def test_weights_count_an_episode_so_often() -> None:
    lines = random_lines(7, 1)
    weights = np.array([[2, 0, 1, 3, 0, 0, 1]])
    by_label = sorted(lines, key=lambda each: each.episode.label)
    many = [each for each, times in zip(by_label, weights[0], strict=True) for _ in range(times)]
    for measure in (miou, fb_iou, mean_iou):
        whole = measure(Sample.of(many), np.ones((1, len(many))))
        assert measure(Sample.of(lines), weights.astype(float)) == pytest.approx(whole)


def test_intervals_hold_the_figure_and_narrow_with_more_episodes() -> None:
    (few,), (many,) = (intervals([Sample.of(random_lines(n, 3))], [miou]) for n in (20, 400))
    assert few.low < few.mean < few.high
    assert 0 < many.high - many.low < (few.high - few.low) / 2
    assert (few.count, many.count) == (20, 400)
    assert intervals([Sample.of(random_lines(20, 3))], [miou]) == [few]


def test_runs_weigh_the_same_whatever_their_length() -> None:
    short, long = Sample.of([line(0, "a", 10, 10)]), Sample.of([line(i, "a", 0, 10) for i in range(9)])
    assert intervals([short, long], [miou])[0].mean == pytest.approx(0.5)


def test_a_steady_lead_is_sure_although_the_figures_are_not() -> None:
    theirs = random_lines(60, 5)
    ours = [
        line(
            each.key.episode,
            each.episode.label,
            min(each.counts.intersection + 2, each.counts.union),
            each.counts.union,
        )
        for each in theirs
        if each.counts is not None
    ]
    lead = paired_intervals([Sample.of(ours)], [Sample.of(theirs)], [miou])[0]
    alone = intervals([Sample.of(theirs)], [miou])[0]
    assert 0 < lead.low < lead.mean < lead.high
    assert lead.high - lead.low < (alone.high - alone.low) / 2


def test_pairs_are_of_the_episodes_both_have() -> None:
    ours, theirs = (
        [line(0, "a", 1, 2), failed(1), line(2, "a", 1, 2)],
        [line(0, "a", 2, 2), line(1, "a", 2, 2)],
    )
    mine, others = in_common(ours, theirs)
    assert [[each.key.episode for each in lines] for lines in (mine, others)] == [[0], [0]]
    with pytest.raises(UsageError, match="same episodes"):
        paired_intervals([Sample.of(ours)], [Sample.of(theirs)], [miou])


def test_without_results_there_is_no_figure() -> None:
    with pytest.raises(UsageError, match="no episode"):
        Sample.of([failed(0)])
    with pytest.raises(UsageError, match="no episode"):
        intervals([], [miou])
