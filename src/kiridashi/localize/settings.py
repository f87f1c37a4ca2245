"""What the user may set of localisation: the axes of the sweep, and the published choice among them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, Self, get_args

from kiridashi.core.errors import UsageError
from kiridashi.models.grid import GridSettings

Measure = Literal["iou", "soft-iou", "cosine", "inside-outside"]
Guide = Literal["auto", "map", "class", "gated"]
Scaling = Literal["none", "max", "min-max"]
Cells = Literal["any", "half"]
BoxRule = Literal["mask", "closed"]

MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
# Finer than this a coarse map has nothing to say, and the sums grow with the square.
FINEST_SIDE = 512
# Below these scores the best mask has missed the region rather than outlined it, so the region stays. They
# differ because the measures do. Chosen on 48 training photographs with made-up maps (blurred, dilated, of a
# part only): a little above them the mask is still the better answer in the mean.
LEAST_SCORE: Final[Mapping[Measure, float]] = {
    "iou": 0.2,
    "soft-iou": 0.15,
    "cosine": 0.5,
    "inside-outside": 0.2,
}
# A mask of less than this share of its region is a part of the object, or a wide map: at 0.3 the mean mask on
# the same photographs begins to suffer from what is kept.
LEAST_SHARE = 0.2
# Of the map scaled to 0..1; the released code tries 0.3 to 0.45 while it trains.
THRESHOLD = 0.4
# The decoder's answer to a map fits that map by its making, also where the map is of a part only; the gallery
# has masks of whole things. On 165 training photographs with maps learned from labels, 0.5 brings the mean
# mask from 0.740 to 0.756 and boxes with IoU 0.5 stay at 0.87; twice as much, 0.761 and 0.87.
QUALITY = 0.5
# Of a mask that is much smaller than the map's cells, the cosine says little.
DEFECT_SCORE = 0.05
# Masks of what lies elsewhere are never chosen.
NEAR = 0.5


@dataclass(frozen=True)
class LocaliseSettings:
    """How a coarse map becomes masks.

    Attributes:
        points_per_side: the gallery comes from a grid of this number squared of points.
        skip_covered: points in the smallest mask of an earlier point are not decoded: half the time, and on
            training photographs no worse a choice.
        near: only points are decoded where the scaled map is above this share of `threshold`, 0..1, and those
            next to them; None: all points.
        most_candidates: of the gallery's masks only these many with the best predicted IoU; None: all.
        measure: of likeness between the coarse map and a mask: hard IoU, soft IoU, cosine, or the mean of
            the map inside the mask minus the mean outside.
        side: both are compared on a grid of this side; 14 as published erases thin parts.
        cells: for hard IoU, a cell is in a mask when `any` pixel of it is (as published), or when `half` is.
        guide: the coarse map of a class: the `map` of all classes (as published), its `class` map, the one
            `gated` by the other (their product), or `auto`: `map` where one class is present, else `class`.
        scaling: of the guide before anything else: `none`, by its `max`, or from its `min-max` to 0..1.
        threshold: the map's region is where the scaled map is above it, 0..1 without its ends.
        by_component: match the region's connected parts one by one, else all of it at once (as published).
        unions: two masks that overlap or touch may win together.
        map_prompt: the decoder's answer to the map as its mask prompt is a candidate too.
        quality: how much the decoder's own predicted IoU counts beside the likeness when candidates are
            ranked, 0..2; 0 as published.
        least_score: below it the coarse region stays; None: `LEAST_SCORE` of the measure.
        least_share: a mask of less than this share of the coarse region gives way to it, 0..1.
        drop_whole: masks whose box is the whole picture are no candidates.
        box: of a choice: that of its `mask`, or as in the released code of the `closed` mask, see
            `kiridashi.localize.boxes`.
        several: name every class that is judged present, else at most the one with the best score.

    Raises:
        UsageError: a value outside its range or none of its choices.
    """

    points_per_side: int = 16
    skip_covered: bool = True
    near: float | None = NEAR
    most_candidates: int | None = None
    measure: Measure = "cosine"
    side: int = 56
    cells: Cells = "half"
    guide: Guide = "auto"
    scaling: Scaling = "min-max"
    threshold: float = THRESHOLD
    by_component: bool = True
    unions: bool = True
    map_prompt: bool = True
    quality: float = QUALITY
    least_score: float | None = None
    least_share: float = LEAST_SHARE
    drop_whole: bool = False
    box: BoxRule = "mask"
    several: bool = True

    def __post_init__(self) -> None:
        _check_choice("measure", self.measure, Measure)
        _check_choice("cells", self.cells, Cells)
        _check_choice("guide", self.guide, Guide)
        _check_choice("scaling", self.scaling, Scaling)
        _check_choice("box", self.box, BoxRule)
        if not 1 <= self.side <= FINEST_SIDE:
            raise UsageError(f"the side of the grid for matching is 1 to {FINEST_SIDE}, got {self.side}")
        if self.most_candidates is not None and self.most_candidates < 1:
            raise UsageError(f"at least one candidate must stay, got {self.most_candidates}")
        if not 0 < self.threshold < 1:
            raise UsageError(f"the threshold of the coarse map is between 0 and 1, got {self.threshold}")
        if not -1 <= self.least <= 1:
            raise UsageError(f"the least score of a match is in -1..1, got {self.least}")
        if self.near is not None and not 0 <= self.near <= 1:
            raise UsageError(f"near is a share of the threshold, 0..1, got {self.near}")
        if not 0 <= self.quality <= 2:
            raise UsageError(f"the weight of the predicted IoU is in 0..2, got {self.quality}")
        if not 0 <= self.least_share <= 1:
            raise UsageError(f"the least share of the coarse region is in 0..1, got {self.least_share}")
        _ = self.grid

    @property
    def least(self) -> float:
        """The score below which the coarse region stays."""
        return LEAST_SCORE[self.measure] if self.least_score is None else self.least_score

    @property
    def grid(self) -> GridSettings:
        """Of the gallery; the thresholds are the model's own."""
        return GridSettings(self.points_per_side, skip_covered=self.skip_covered)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings of a `to_dict`; fields that are missing have their defaults.

        Raises:
            UsageError: an unknown field, or a value of another type or outside its range.
        """
        kinds = {field.name: field.default for field in fields(cls)}
        for name, value in values.items():
            if name not in kinds:
                raise UsageError(f"no setting of localisation is called {str(name)[:40]!r}")
            if not _fits(value, kinds[name], name):
                raise UsageError(f"the setting {name} of localisation cannot be {str(value)[:40]!r}")
        return cls(**values)


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise UsageError(f"{name} is one of {', '.join(get_args(choices))}, got {str(value)[:40]!r}")


def _fits(value: object, default: object, name: str) -> bool:
    """Whether a value from a file is of the field's type; the ranges are checked by the class."""
    if name in ("most_candidates", "least_score", "near") and value is None:
        return True
    if name in ("most_candidates", "points_per_side", "side"):
        return type(value) is int
    if isinstance(default, bool | str):
        return type(value) is type(default)
    return type(value) in (int, float)


# Pro2SAM as its released code matches (Xi et al., ECCV 2024): no lower bound on the score, nothing but the
# gallery, the whole region at once.
PUBLISHED = LocaliseSettings(
    points_per_side=32,
    skip_covered=False,
    near=None,
    measure="iou",
    side=14,
    cells="any",
    guide="map",
    scaling="none",
    threshold=0.2,
    by_component=False,
    unions=False,
    map_prompt=False,
    quality=0.0,
    least_score=-1.0,
    least_share=0.0,
    drop_whole=True,
    box="closed",
)


def for_inspection(settings: LocaliseSettings) -> LocaliseSettings:
    """The settings for a network that learned from pictures with and without defects.

    A defect is often smaller than a cell of the map. The region is then no answer, however little a mask
    covers of it, and the decoder's answer to the map is as wide as the map. Chosen on 30 pictures of made-up
    surfaces with defects: boxes with IoU 0.5 from 0.43 to 0.63, mean mask from 0.15 to 0.47.
    """
    return replace(settings, map_prompt=False, least_score=DEFECT_SCORE, least_share=0.0)
