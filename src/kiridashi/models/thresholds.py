"""Which masks of a grid of points are good enough to stay."""

from dataclasses import dataclass

from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class GridThresholds:
    """What a mask of "segment everything" must reach; a property of the model.

    How sure a decoder is of its masks, and how steep their edges are, differs between models. The
    defaults are those of SAM 2's automatic mask generator (Ravi et al., 2024), made for Meta's weights.
    Those of `compact`, in the catalogue, were chosen on held-out training scenes, for recall before
    precision (`training.image.grid_thresholds`): its predicted IoU is fairly honest, but its logits
    are softer, so that small objects seldom reach a stability of 0.95.

    Attributes:
        predicted_iou: a mask stays when its predicted IoU is above it, 0..1.
        stability: a mask stays when its stability score is at least this, 0..1: the IoU of the masks that
            its logits give at a threshold moved up and one moved down.

    Raises:
        UsageError: a number outside 0..1.
    """

    predicted_iou: float = 0.8
    stability: float = 0.95

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UsageError(f"{name.replace('_', ' ')} must be in 0..1, got {value}")


SAM2_THRESHOLDS = GridThresholds()
