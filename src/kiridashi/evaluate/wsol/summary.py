"""What a run comes to: one row a set and method."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.metrics.levels import THRESHOLDS
from kiridashi.evaluate.metrics.localisation import (
    Values,
    localised,
    localised_top,
    max_box_acc,
    max_box_acc_v2,
    mean_of,
    presence,
    pxap,
)
from kiridashi.evaluate.wsol.lines import TEST, Line
from kiridashi.evaluate.wsol.sample import Measure, Sample, draws, interval
from kiridashi.evaluate.wsol.thresholds import (
    Choice,
    Decided,
    best_for_boxes,
    box_curves,
    decide,
    mask_curves,
)

# With this many classes or fewer the true class is always among the five best.
TOP = 5


@dataclass(frozen=True)
class Oracle:
    """What the best threshold would give, chosen on the test pictures: a bound, not a result.

    Attributes:
        threshold: for boxes, one for all test pictures.
        gt_known: with it.
        mean_iou: with the best threshold for masks; None: no true masks.
    """

    threshold: float
    gt_known: Interval
    mean_iou: Interval | None


@dataclass(frozen=True)
class Fallback:
    """How often the coarse result was kept, and whether that was right.

    Attributes:
        share: of answers in which it was kept.
        right: of those in which a finer mask was turned down, the share whose kept box fits no worse than
            the box of that mask; None: nothing was turned down.
        turned_down: number of those.
        taken_right: of answers with a finer mask, the share whose box fits no worse than the coarse box;
            None: no coarse box is known.
    """

    share: float
    right: float | None
    turned_down: int
    taken_right: float | None


@dataclass(frozen=True)
class Row:
    """What one method reached on one set; shares are in 0..1.

    Attributes:
        set: name of the set.
        method: its name.
        answers: number of questions (a picture and one of its classes) with an answer.
        pictures: number of pictures that they are of.
        failed: number without an answer, tuning pictures included.
        gt_known: GT-known localisation, with the threshold chosen on the tuning pictures.
        top1: Top-1 localisation; None: the method knows no classes.
        top5: Top-5 localisation; None also with five classes or fewer.
        mean_iou: of the mask with the true one; None: no true masks.
        pxap: over all thresholds; None: no true masks, or no map.
        max_box_acc: MaxBoxAcc; None: no map.
        max_box_acc_v2: MaxBoxAccV2; likewise.
        presence: area under the ROC curve of telling pictures with an object from those without; None:
            every test picture has one, or the method knows no classes.
        oracle: None for a method whose box is its own.
        thresholds: of the box in each trial; none for a method whose box is its own.
        tuned: whether they were chosen on tuning pictures.
        fallback: None: the method has none.
        lead_gt_known: minus that of the first method, over the questions that both answered.
        lead_pxap: likewise.
        lead_mean_iou: likewise.
        by_seed: GT-known localisation of each seed.
        seconds: mean for an answer.
    """

    set: str
    method: str
    answers: int
    pictures: int
    failed: int
    gt_known: Interval
    top1: Interval | None
    top5: Interval | None
    mean_iou: Interval | None
    pxap: Interval | None
    max_box_acc: Interval | None
    max_box_acc_v2: Interval | None
    presence: Interval | None
    oracle: Oracle | None
    thresholds: tuple[float, ...]
    tuned: bool
    fallback: Fallback | None
    lead_gt_known: Interval | None
    lead_pxap: Interval | None
    lead_mean_iou: Interval | None
    by_seed: tuple[float, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All figures, shares in 0..1."""
        return asdict(self)


def summarise(
    lines: Sequence[Line], sets: Sequence[str], methods: Sequence[str], classes: dict[str, int]
) -> list[Row]:
    """Rows in the order of sets and methods; a method without any answer has none.

    Args:
        lines: of the run.
        sets: names, in order.
        methods: names, in order; differences are to the first.
        classes: number of them by set.
    """
    rows = []
    for name in sets:
        first: list[Decided] | None = None
        for method in methods:
            mine = [line for line in lines if line.key.set == name and line.key.method == method]
            answers, choices = decide(mine)
            if answers:
                rows.append(_row(name, method, mine, answers, choices, first, classes[name]))
            if first is None:
                first = answers
    return rows


def _row(
    name: str,
    method: str,
    lines: Sequence[Line],
    answers: Sequence[Decided],
    choices: Sequence[Choice],
    first: Sequence[Decided] | None,
    classes: int,
) -> Row:
    sample = Sample.of(answers)
    weights = draws(sample.pictures)
    own = all(one.score.own_iou is not None for one in answers)

    def figure(measure: Measure | None) -> Interval | None:
        return None if measure is None else interval(measure, weights)

    leads = _leads(answers, first) if first else (None, None, None)
    return Row(
        name,
        method,
        len(sample),
        len(set(sample.pictures)),
        sum(line.error is not None for line in lines),
        interval(_gt_known(sample), weights),
        figure(_top(sample, 1)),
        figure(_top(sample, TOP)) if classes > TOP else None,
        figure(_mean_iou(sample)),
        figure(_pxap(sample)),
        figure(_max_box_acc(sample)),
        figure(_max_box_acc_v2(sample)),
        _presence(lines),
        None if own else _oracle(answers, sample, weights),
        () if own else tuple(float(THRESHOLDS[choice.box]) for choice in choices),
        all(choice.chosen for choice in choices),
        _fallback(answers),
        *leads,
        by_seed=_by_seed(answers),
        seconds=float(np.mean([one.line.seconds for one in answers])),
    )


def _gt_known(sample: Sample) -> Measure:
    return lambda weights: localised(sample.box_ious, weights)


def _top(sample: Sample, top: int) -> Measure | None:
    ranks = sample.ranks
    if ranks is None:
        return None
    return lambda weights: localised_top(sample.box_ious, ranks, weights, top=top)


def _mean_iou(sample: Sample) -> Measure | None:
    values = sample.mask_ious
    return None if values is None else lambda weights: mean_of(values, weights)


def _pxap(sample: Sample) -> Measure | None:
    inside, outside = sample.inside, sample.outside
    if inside is None or outside is None:
        return None
    return lambda weights: pxap(inside, outside, weights)


def _max_box_acc(sample: Sample) -> Measure | None:
    curves = sample.contour
    return None if curves is None else lambda weights: max_box_acc(curves, weights)


def _max_box_acc_v2(sample: Sample) -> Measure | None:
    curves = sample.any_contour
    return None if curves is None else lambda weights: max_box_acc_v2(curves, weights)


def _presence(lines: Sequence[Line]) -> Interval | None:
    tests = [line for line in lines if line.key.part == TEST and line.error is None]
    # A picture with several classes is asked for each, and scored once.
    scored = {line.key[:5]: line for line in tests if line.surest is not None}.values()
    there = [line for line in scored if line.key.label]
    absent = [line for line in scored if not line.key.label]
    if not there or not absent:
        return None
    ours, theirs = (np.array([line.surest for line in part], dtype=np.float64) for part in (there, absent))
    weights = np.concatenate(
        [draws([line.key.picture for line in part], seed=s) for s, part in enumerate((there, absent))], axis=1
    )

    def measure(rows: Values | None) -> Values:
        return presence(ours, theirs, None if rows is None else np.split(rows, [len(ours)], axis=1))

    return interval(measure, weights)


def _oracle(answers: Sequence[Decided], sample: Sample, weights: Values) -> Oracle | None:
    ordered = [one.score for one in sorted(answers, key=lambda one: one.line.key)]
    boxes, masks = box_curves(ordered), mask_curves(ordered)
    if len(boxes) < len(sample):
        return None
    best = best_for_boxes(boxes)
    mean_iou = None
    if len(masks) == len(sample):
        at_best = masks[:, int(np.argmax(masks.mean(axis=0)))]
        mean_iou = interval(lambda rows: mean_of(at_best, rows), weights)
    return Oracle(
        float(THRESHOLDS[best]), interval(lambda rows: localised(boxes[:, best], rows), weights), mean_iou
    )


def _fallback(answers: Sequence[Decided]) -> Fallback | None:
    choosing = [one for one in answers if one.score.fallback is not None]
    if not choosing:
        return None
    kept = [one for one in choosing if one.score.fallback]
    taken = [one for one in choosing if not one.score.fallback]
    compared = [one for one in kept if one.score.alternative_iou is not None]
    return Fallback(len(kept) / len(choosing), _right(kept), len(compared), _right(taken))


def _right(answers: Sequence[Decided]) -> float | None:
    """Share of the answers whose box fits no worse than the one that was not chosen."""
    right = [
        one.box_iou >= one.score.alternative_iou for one in answers if one.score.alternative_iou is not None
    ]
    return float(np.mean(right)) if right else None


def _leads(
    ours: Sequence[Decided], theirs: Sequence[Decided]
) -> tuple[Interval | None, Interval | None, Interval | None]:
    common = {one.line.key.question for one in ours} & {one.line.key.question for one in theirs}
    if not common:
        return None, None, None
    mine, others = (
        Sample.of([one for one in part if one.line.key.question in common]) for part in (ours, theirs)
    )
    weights = draws(mine.pictures)

    def difference(a: Measure | None, b: Measure | None) -> Interval | None:
        if a is None or b is None:
            return None
        return interval(lambda rows: a(rows) - b(rows), weights)

    return (
        difference(_gt_known(mine), _gt_known(others)),
        difference(_pxap(mine), _pxap(others)),
        difference(_mean_iou(mine), _mean_iou(others)),
    )


def _by_seed(answers: Sequence[Decided]) -> tuple[float, ...]:
    seeds = sorted({one.line.key.seed for one in answers})
    return tuple(
        float(localised(np.array([one.box_iou for one in answers if one.line.key.seed == seed]))[0])
        for seed in seeds
    )
