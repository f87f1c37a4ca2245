"""24 Greek coins from Pompeii on one photograph, some as references and the others to be found.

The photograph is scikit-image's `coins` (Brooklyn Museum, no known copyright restrictions). The
outlines in `coin_labels.png` are our own: a watershed of the Sobel gradient from markers below 30
and above 150, holes filled, opened with a disc of 2 pixels, each outline checked by eye. Coins are
numbered 1 to 24, row by row.
"""

from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.masks import label_mask, read_label_map

TOTAL = 24
# No coin crosses this row of pixels.
FIRST_ROW_BELOW = 150


@dataclass(frozen=True, eq=False)
class Coins:
    """The photograph in two parts.

    Attributes:
        reference: the upper part, with all its coins marked.
        target: the lower part.
        truth: the coins of the target, one mask each.
    """

    reference: Reference
    target: Picture
    truth: tuple[Mask, ...]


def coins() -> Coins:
    """The coins above `FIRST_ROW_BELOW` as reference, those below as target."""
    from skimage import data

    grey = data.coins()
    pixels = np.repeat(grey[..., None], 3, axis=2)
    with as_file(files(__package__).joinpath("coin_labels.png")) as path:
        labels = read_label_map(path)
    above, below = labels[:FIRST_ROW_BELOW], labels[FIRST_ROW_BELOW:]
    reference = Reference(Picture(pixels[:FIRST_ROW_BELOW], "reference.png"), Mask.from_array(above > 0))
    truth = tuple(label_mask(below, number) for number in np.unique(below[below > 0]).tolist())
    return Coins(reference, Picture(pixels[FIRST_ROW_BELOW:], "coins.png"), truth)


def without_coins() -> Picture:
    """A photograph without coins: scikit-image's `coffee` (CC0, Rachel Michetti).

    No texture of scikit-image that the fusion network was fitted with (brick, grass, gravel).
    """
    from skimage import data

    return Picture(data.coffee(), "coffee.png")
