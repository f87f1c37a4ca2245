"""What is computed of a picture once, for all draws and all methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

Vectors = NDArray[np.float32]

# A proposal with less of its area on objects than this is background.
BACKGROUND_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Look:
    """The proposals of a picture.

    Attributes:
        size: (height, width) of the picture.
        masks: N masks, none empty.
        quality: (N,) float32, predicted IoU of each, 0..1.
        embeddings: (N, D) float32.
    """

    size: tuple[int, int]
    masks: tuple[Mask, ...]
    quality: Vectors
    embeddings: Vectors


class Eye(Protocol):
    """Makes proposals and embeddings; what is compared shares one."""

    def look(self, picture: Picture) -> Look:
        """The proposals of a picture."""
        ...

    def embed(self, picture: Picture, masks: Sequence[Mask]) -> Vectors:
        """(N, D) float32 embeddings of N masks of a picture."""
        ...


def background_of(look: Look, objects: Sequence[Mask]) -> Vectors:
    """(M, D) embeddings of the proposals that lie on no object.

    Those that lie on a part of one are neither object nor background and are left out.

    Args:
        look: of a picture.
        objects: everything in it that is no background, void pixels too.
    """
    taken = np.zeros(look.size, dtype=bool)
    for one in objects:
        taken[one.slices] |= one.bitmap
    clear = [
        index
        for index, mask in enumerate(look.masks)
        if np.count_nonzero(taken[mask.slices] & mask.bitmap) < BACKGROUND_SHARE * mask.area
    ]
    return look.embeddings[clear]
