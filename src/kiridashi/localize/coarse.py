"""What a trained network sees in one picture: the seam between the network and the localiser."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture

FloatMap = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a picture: how sure each class is, and roughly where.

    The maps lie on the whole picture: cell (0, 0) is its upper left corner whatever its proportions.

    Attributes:
        scores: (C,) float32 in [0, 1], the score of each class.
        map: (h, w) float32 in [0, 1], where something is, whatever its class (M_b of Pro2SAM).
        class_maps: (C, h, w) float32 in [0, 1], where each class is; a network whose class maps say what a
            place would show, if anything, multiplies them with the map.

    Raises:
        UsageError: shapes that do not belong together, or values outside [0, 1].
    """

    scores: FloatMap
    map: FloatMap
    class_maps: FloatMap

    def __post_init__(self) -> None:
        shapes = self.scores.shape, self.map.shape, self.class_maps.shape
        if self.scores.ndim != 1 or self.map.ndim != 2 or shapes[2] != shapes[0] + shapes[1]:
            raise UsageError(
                f"a look needs scores (C,), a map (h, w) and class maps (C, h, w); got {shapes[0]}, "
                f"{shapes[1]} and {shapes[2]}"
            )
        for name, values in (("scores", self.scores), ("map", self.map), ("class maps", self.class_maps)):
            if values.size == 0 or not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
                raise UsageError(f"the {name} of a look must be numbers in 0..1, at least one")


class CoarseLocaliser(Protocol):
    """A network trained on picture labels that says what is there and roughly where."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the scores."""
        ...

    def look(self, picture: Picture) -> Look:
        """Look at one picture."""
        ...
