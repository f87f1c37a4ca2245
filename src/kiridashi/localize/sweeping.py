"""Which grid, how many candidates and which matching: accuracy against seconds, and a recommendation.

The rule: a setting is on the Pareto front when no other is at least as accurate and at least as fast, and
better in one of both. Recommended is the fastest setting on the front whose mean IoU is at most `TOLERANCE`
below the best one's. Seconds are compared by their first two digits; what is finer is chance.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean, median
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.intervals import bootstrap_mean
from kiridashi.evaluate.metrics import iou
from kiridashi.evaluate.wsol.boxes import best_iou, inclusive
from kiridashi.evaluate.wsol.items import Truth
from kiridashi.localize.choosing import Choice
from kiridashi.localize.coarse import CoarseLocaliser
from kiridashi.localize.gallery import Galleries
from kiridashi.localize.localizer import Localizer
from kiridashi.localize.settings import LocaliseSettings, Measure
from kiridashi.models.grid import GridSettings
from kiridashi.models.promptable import PromptableModel
from kiridashi.report.localisation.sweep import SweepRow

TOLERANCE = 0.01
RIGHT = 0.5


@dataclass(frozen=True)
class Axes:
    """What is varied; everything else is as in the settings that the sweep begins with.

    Attributes:
        points_per_side: of the grid.
        candidates: how many masks of the gallery; None: all.
        measures: of matching.

    Raises:
        UsageError: an axis without a value, or with one twice.
    """

    points_per_side: tuple[int, ...] = (8, 16, 24, 32)
    candidates: tuple[int | None, ...] = (None, 16)
    measures: tuple[Measure, ...] = ("iou", "soft-iou", "cosine", "inside-outside")

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if not values or len(set(values)) != len(values):
                raise UsageError(f"the sweep's {name} are one or more values, each once; got {values}")

    def settings(self, base: LocaliseSettings) -> list[LocaliseSettings]:
        """All combinations.

        Raises:
            UsageError: a value that the settings do not allow.
        """
        return [
            replace(base, points_per_side=side, most_candidates=most, measure=measure)
            for side, most, measure in product(self.points_per_side, self.candidates, self.measures)
        ]


@dataclass(frozen=True)
class Measured:
    """One setting on one picture.

    Attributes:
        points_per_side: of the grid.
        candidates: how many masks of the gallery; None: all.
        measure: of matching.
        seconds: for everything, from the pixels on.
        box_iou: of the answer's box with the best true one.
        mask_iou: None where no true mask is known.
        kept_coarse: whether the coarse region stayed.
    """

    points_per_side: int
    candidates: int | None
    measure: str
    seconds: float
    box_iou: float
    mask_iou: float | None
    kept_coarse: bool

    @property
    def setting(self) -> tuple[int, int | None, str]:
        """Equal for one setting on all pictures."""
        return self.points_per_side, self.candidates, self.measure

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Measured":
        """Take back what `to_json` gave.

        Raises:
            InputError: it is not that.
        """
        try:
            mask = value["mask_iou"]
            most = value["candidates"]
            return cls(
                int(value["points_per_side"]),
                None if most is None else int(most),
                str(value["measure"]),
                float(value["seconds"]),
                float(value["box_iou"]),
                None if mask is None else float(mask),
                bool(value["kept_coarse"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a line of the sweep's results.jsonl is not one of ours ({error!r})") from error


class Sweep:
    """Measures all settings of some axes, picture by picture.

    What settings have in common is done once and counted for each: encoding, the look, a grid's gallery.

    Args:
        model: draws the galleries.
        network: trained on labels.
        axes: what is varied.
        base: all other settings.

    Attributes:
        classes: that can be asked for.
    """

    def __init__(
        self, model: PromptableModel, network: CoarseLocaliser, axes: Axes, base: LocaliseSettings
    ) -> None:
        self._model, self._network = model, network
        self.classes = network.classes
        # Without a cache on the disk: that would make grids look as if they cost nothing.
        galleries = {side: Galleries(model, GridSettings(side)) for side in axes.points_per_side}
        self._localizers = [
            Localizer(model, network, settings, galleries=galleries[settings.points_per_side])
            for settings in axes.settings(base)
        ]

    def measure(self, picture: Picture, label: str, truth: Truth) -> list[Measured]:
        """All settings on one picture, which is known to show a class.

        Raises:
            UsageError: no such class, or the model's mask decoder is not trained.
        """
        began = time.perf_counter()
        self._model.encode(picture)
        look = self._network.look(picture)
        shared = time.perf_counter() - began
        gallery_seconds: dict[int, float] = {}
        rows = []
        for localizer in self._localizers:
            side = localizer.settings.points_per_side
            if side not in gallery_seconds:
                began = time.perf_counter()
                localizer.galleries.of(picture, localizer.wanted(look, label))
                gallery_seconds[side] = time.perf_counter() - began
            began = time.perf_counter()
            choices = localizer.find(picture, look, label).choices
            seconds = shared + gallery_seconds[side] + time.perf_counter() - began
            rows.append(_measured(localizer.settings, choices, truth, seconds))
        return rows


def summarise(lines: Sequence[Sequence[Measured]]) -> list[SweepRow]:
    """One row a setting, with the front and the recommendation by this module's rule.

    Args:
        lines: of each picture all its settings, the same ones in the same order.

    Raises:
        UsageError: there are no lines, or they are of different settings.
    """
    if not lines:
        raise UsageError("the sweep has measured no picture, so there is nothing to recommend")
    if len({tuple(one.setting for one in line) for line in lines}) != 1:
        raise UsageError("the pictures of a sweep are measured at the same settings")
    by_mask = all(one.mask_iou is not None for line in lines for one in line)
    columns = list(zip(*lines, strict=True))
    ious = [
        np.array([one.mask_iou if by_mask else one.box_iou for one in column], dtype=np.float64)
        for column in columns
    ]
    rows = [_row(column, values) for column, values in zip(columns, ious, strict=True)]
    seconds = [float(f"{row.seconds:.1e}") for row in rows]
    front = set(_front(list(zip(seconds, (row.iou.mean for row in rows), strict=True))))
    best = max(front, key=lambda place: rows[place].iou.mean)
    able = [place for place in front if rows[best].iou.mean - rows[place].iou.mean <= TOLERANCE]
    chosen = min(able, key=lambda place: seconds[place])
    return [
        replace(row, on_front=place in front, recommended=place == chosen) for place, row in enumerate(rows)
    ]


def _front(points: Sequence[tuple[float, float]]) -> Iterator[int]:
    """Places of the (seconds, accuracy) that no other one beats; of equal ones the first."""
    accuracy = -np.inf
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place)):
        if points[place][1] > accuracy:
            accuracy = points[place][1]
            yield place


def _row(column: Sequence[Measured], ious: np.ndarray[Any, Any]) -> SweepRow:
    side, most, measure = column[0].setting
    return SweepRow(
        points_per_side=side,
        candidates=most,
        matching=measure,
        seconds=median(one.seconds for one in column),
        iou=bootstrap_mean(ious),
        gt_known=mean(float(one.box_iou >= RIGHT) for one in column),
        kept_coarse=mean(float(one.kept_coarse) for one in column),
    )


def _measured(
    settings: LocaliseSettings, choices: Sequence[Choice], truth: Truth, seconds: float
) -> Measured:
    boxes = inclusive([choices[0].box])
    return Measured(
        points_per_side=settings.points_per_side,
        candidates=settings.most_candidates,
        measure=settings.measure,
        seconds=round(seconds, 5),
        box_iou=round(float(best_iou(boxes, truth.boxes)[0]), 5),
        mask_iou=_mask_iou(choices, truth),
        kept_coarse=all(choice.kept_coarse for choice in choices),
    )


def _mask_iou(choices: Sequence[Choice], truth: Truth) -> float | None:
    if truth.mask is None:
        return None
    whole = choices[0].mask
    for choice in choices[1:]:
        whole = whole | choice.mask
    ignore = truth.ignore or Mask.empty(whole.size)
    return round(float(iou(whole.to_array(), truth.mask.to_array(), ignore.to_array())), 5)
