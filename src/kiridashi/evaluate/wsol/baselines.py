"""What costs nothing: boxes that do not look at the picture. Whatever stands beside them should be ahead."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kiridashi.core.picture import Picture
from kiridashi.evaluate.wsol.answers import Localises, WsolAnswer

# Of each side, of the box in the middle.
CENTRE_SHARE = 0.7
# Of the bump's map; it only has to be smooth.
MAP_SIDE = 56
# Of the sides, of the bump's standard deviation.
BUMP = 0.25


class WholePicture:
    """Everything is the object. Its map would be the same everywhere, so it has none."""

    def answer(self, picture: Picture, _: int, /) -> WsolAnswer:
        """The box of the whole picture."""
        height, width = picture.size
        return WsolAnswer(None, None, ((0, 0, width, height),))


@dataclass(frozen=True)
class Centre:
    """The object is in the middle.

    Its box has a share of each side; its map is a Gaussian, the "center" baseline of Choe et al. (2020).

    Attributes:
        share: of each side that the box has, in (0, 1].
    """

    share: float = CENTRE_SHARE

    def answer(self, picture: Picture, _: int, /) -> WsolAnswer:
        """The box in the middle, and the Gaussian."""
        height, width = picture.size
        margin = (1 - self.share) / 2
        box = (margin * width, margin * height, (1 - margin) * width, (1 - margin) * height)
        places = (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE - 0.5
        bump = np.exp(-0.5 * (places / BUMP) ** 2)
        return WsolAnswer(None, np.outer(bump, bump).astype(np.float32), (box,))


BASELINES: Mapping[str, Localises] = {"whole": WholePicture(), "centre": Centre()}
