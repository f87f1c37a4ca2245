"""What the user may set of the grid."""

from dataclasses import dataclass

from kiridashi.core.errors import UsageError
from kiridashi.models.thresholds import SAM2_THRESHOLDS, GridThresholds


@dataclass(frozen=True)
class GridSettings:
    """Settings of "segment everything".

    The two thresholds are the model's own (`ModelCard.grid`) unless given here; all else defaults to
    SAM 2's automatic mask generator.

    Attributes:
        points_per_side: the grid has this number squared of points (SAM 2 takes 32).
        predicted_iou: a mask stays when its predicted IoU is above it; None: the model's.
        stability: a mask stays when its stability score is at least this; None: the model's.
        stability_offset: logits by which the threshold moves up and down for that score.
        box_iou: a mask falls when its box's IoU with that of a better one is above it.
        skip_covered: do not decode a point in the smallest accepted mask of an earlier point: faster,
            and may miss parts of what was found.
        batch: points decoded together; None lets the picture's number of tokens decide.
    """

    points_per_side: int = 16
    predicted_iou: float | None = None
    stability: float | None = None
    stability_offset: float = 1.0
    box_iou: float = 0.7
    skip_covered: bool = False
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise UsageError(f"points per side must be at least 1, got {self.points_per_side}")
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"batch must be at least 1, got {self.batch}")
        if self.stability_offset < 0:
            raise UsageError(f"stability offset must not be negative, got {self.stability_offset}")
        if not 0 <= self.box_iou <= 1:
            raise UsageError(f"box iou must be in 0..1, got {self.box_iou}")
        self.thresholds(SAM2_THRESHOLDS)

    def thresholds(self, own: GridThresholds) -> GridThresholds:
        """The thresholds to use: those set here, else the model's own.

        Raises:
            UsageError: a number outside 0..1.
        """
        return GridThresholds(
            own.predicted_iou if self.predicted_iou is None else self.predicted_iou,
            own.stability if self.stability is None else self.stability,
        )
