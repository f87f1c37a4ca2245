"""What the user shows: pictures with the object marked, and pictures of what it is not."""

from dataclasses import dataclass

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture


@dataclass(frozen=True, eq=False)
class Reference:
    """A picture and the mask of the object to look for."""

    picture: Picture
    mask: Mask

    def __post_init__(self) -> None:
        if self.mask.size != self.picture.size:
            raise SizeMismatchError(self.picture.size, self.mask.size, self.picture.name)
        if self.mask.is_empty:
            raise InputError(f"{self.picture.name}: the reference mask is empty; mark at least one pixel")


@dataclass(frozen=True, eq=False)
class Negative:
    """A picture, or the masked part of it, that must not be found.

    `mask` None means that the object is nowhere in the picture.
    """

    picture: Picture
    mask: Mask | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.mask.size != self.picture.size:
            raise SizeMismatchError(self.picture.size, self.mask.size, self.picture.name)
