"""What a user or a method tells the decoder about one object."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError

Point = tuple[float, float, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Prompt:
    """Points, a box and a dense prior for one object, in pixels of the picture.

    Attributes:
        points: (x, y, label) each, label 1 on the object and 0 beside it.
        box: (x0, y0, x1, y1) or None.
        prior: (H, W) float in [0, 1], how likely each pixel is the object; any size with the
            picture's proportions. None when there is none.
    """

    points: tuple[Point, ...] = ()
    box: Box | None = None
    prior: NDArray[np.float32] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.points and self.box is None and self.prior is None:
            raise UsageError("a prompt needs a point, a box or a prior")
        for x, y, label in self.points:
            if label not in (0, 1) or not np.isfinite((x, y)).all():
                raise UsageError(f"a point is finite x, y and label 0 or 1, got ({x}, {y}, {label})")
        if self.box is not None:
            self._check_box(self.box)
        if self.prior is not None:
            self._check_prior(self.prior)

    @property
    def is_ambiguous(self) -> bool:
        """Whether it may mean a part, an object or a group: one click and nothing else.

        SAM asks for three masks then, and for one otherwise (Kirillov et al., 2023, section 3).
        """
        return len(self.points) == 1 and self.box is None and self.prior is None

    @staticmethod
    def _check_box(box: Box) -> None:
        x0, y0, x1, y1 = box
        if not np.isfinite(box).all() or x0 >= x1 or y0 >= y1:
            raise UsageError(f"a box is x0,y0,x1,y1 with x0 < x1 and y0 < y1, got {box}")

    @staticmethod
    def _check_prior(prior: NDArray[np.float32]) -> None:
        if prior.ndim != 2 or prior.size == 0:
            raise UsageError(f"a prior is a (H, W) map, got shape {prior.shape}")
        if not np.isfinite(prior).all() or prior.min() < 0 or prior.max() > 1:
            raise UsageError("a prior holds probabilities in [0, 1]; scale it first")
