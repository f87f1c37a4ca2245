"""What a class is shown by: a picture, the mask of one thing in it, and its embedding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from kiridashi.classes.registry.events import Matrix, SampleKind
from kiridashi.core.errors import InputError, SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample on its way into the registry.

    Attributes:
        picture: the complete picture.
        mask: of one thing in it.
        embedding: (D,) floats of what is inside the mask, on the CPU.
    """

    picture: Picture
    mask: Mask
    embedding: ArrayLike = field(repr=False)

    def __post_init__(self) -> None:
        if self.mask.size != self.picture.size:
            raise SizeMismatchError(self.picture.size, self.mask.size, self.picture.name)
        if self.mask.is_empty:
            raise InputError(f"{self.picture.name}: the sample's mask is empty; mark at least one pixel")


@dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample in the registry, without its pixels: `Registry.picture` reads those.

    Attributes:
        id: in the registry.
        event: id of the event that brought it.
        kind: what it is for.
        identity: of the class that it belongs to; None for background of no class.
        digest: of the picture.
        name: of the picture.
        mask: of one thing in it.
        embedding: (D,) float32 as in the present state, read-only.
    """

    id: int
    event: int
    kind: SampleKind
    identity: int | None
    digest: str
    name: str
    mask: Mask = field(repr=False)
    embedding: Matrix = field(repr=False)


def checked_rows(vectors: Sequence[ArrayLike], width: int) -> Matrix:
    """Embeddings as (N, width) float32, read-only.

    Raises:
        UsageError: another width.
        InputError: a value is not finite.
    """
    rows = np.zeros((len(vectors), width), np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        values = np.asarray(vector, np.float32)
        if values.shape != (width,):
            raise UsageError(
                f"the embeddings of this registry have {width} values, got an array of shape {values.shape}; "
                "embed with the model that the registry was made with"
            )
        row[:] = values
    if not np.isfinite(rows).all():
        raise InputError("an embedding has values that are not finite; look at the sample's picture and mask")
    rows.flags.writeable = False
    return rows
