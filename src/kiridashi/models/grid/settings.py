"""What the user may set of the grid."""

from dataclasses import dataclass

from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class GridSettings:
    """Settings of "segment everything"; the thresholds default to SAM 2's automatic mask generator.

    Attributes:
        points_per_side: the grid has this number squared of points (SAM 2 takes 32).
        predicted_iou: a mask stays when its predicted IoU is above it.
        stability: a mask stays when its stability score is at least this.
        stability_offset: logits by which the threshold moves up and down for that score.
        box_iou: a mask falls when its box's IoU with that of a better one is above it.
        skip_covered: do not decode a point in the smallest accepted mask of an earlier point: faster,
            and may miss parts of what was found.
        batch: points decoded together; None lets the picture's number of tokens decide.
    """

    points_per_side: int = 16
    predicted_iou: float = 0.8
    stability: float = 0.95
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
        for name in ("predicted_iou", "stability", "box_iou"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"{name.replace('_', ' ')} must be in 0..1, got {value}")
