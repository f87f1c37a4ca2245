"""Views of a picture that leave its label true and its objects in the frame."""

from dataclasses import dataclass

import numpy as np

from kiridashi.core.picture import Picture

# A crop keeps this share of each side or more: a label may hang on something at the edge.
LEAST_SIDE = 0.75


@dataclass(frozen=True)
class View:
    """How a picture is shown.

    Attributes:
        mirrored: left and right exchanged, after the crop.
        crop: (left, top, right, bottom) as shares of the width and the height, 0..1.
    """

    mirrored: bool = False
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    @property
    def key(self) -> str:
        """Equal views have equal keys."""
        return " ".join([str(int(self.mirrored)), *(f"{side:.6f}" for side in self.crop)])

    def of(self, picture: Picture) -> Picture:
        """The picture in this view; a crop has at least one pixel."""
        height, width = picture.size
        left, right = _span(self.crop[0], self.crop[2], width)
        top, bottom = _span(self.crop[1], self.crop[3], height)
        pixels = picture.pixels[top:bottom, left:right]
        return Picture(pixels[:, ::-1] if self.mirrored else pixels, picture.name, picture.path)


def views_of(digest: str, count: int) -> tuple[View, ...]:
    """The first `count` views of a picture: as it is, mirrored, then crops, every second one mirrored.

    Crops follow from the picture alone, not from the seed of a training, so that what the trunk saw of them
    serves every later training.

    Args:
        digest: of the picture, hexadecimal.
        count: 1 or more.
    """
    views = [View(), View(mirrored=True)]
    for index in range(2, count):
        rng = np.random.default_rng([int(digest[:16], 16), index])
        side = rng.uniform(LEAST_SIDE, 1.0)
        left, top = rng.uniform(0, 1 - side, 2)
        crop = (float(left), float(top), float(left + side), float(top + side))
        views.append(View(index % 2 == 1, crop))
    return tuple(views[:count])


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    first = min(round(low * length), length - 1)
    return first, max(round(high * length), first + 1)
