"""A reference picture and its mask, as a user names them."""

import hashlib
from pathlib import Path

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.reference import Reference
from kiridashi.data.pictures import read_picture
from kiridashi.data.reference_masks import read_reference_mask


def read_reference(picture_path: Path, mask_path: Path) -> Reference:
    """A picture with the object that is marked in it.

    Raises:
        InputError: a file cannot be used, nothing is marked, or everything is.
    """
    picture = read_picture(picture_path)
    mask = read_reference_mask(mask_path, picture)
    if mask.is_empty:
        raise InputError(f"{mask_path}: the mask of {picture_path} is empty; mark the object in it")
    height, width = mask.size
    if mask.area == height * width:
        raise InputError(
            f"{mask_path}: as a mask of {picture_path} it covers the whole picture; a mask is 0 wherever the "
            "object is not"
        )
    return Reference(picture, mask)


def mask_digest(mask: Mask) -> str:
    """SHA-256 of a mask, for the settings of a run."""
    return hashlib.sha256(repr((mask.size, mask.box)).encode() + mask.bitmap.tobytes()).hexdigest()
