"""The mask of a reference, whatever kind of file it is kept in."""

from functools import reduce
from operator import or_
from pathlib import Path

from kiridashi.core.errors import SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import read_annotations
from kiridashi.data.files import unusable
from kiridashi.data.masks import label_mask, read_label_map, read_mask


def read_reference_mask(path: str | Path, picture: Picture, label: str | None = None) -> Mask:
    """The mask that a file gives for a picture: all its marked objects together.

    Args:
        path: a mask picture, or a COCO or LabelMe file (`.json`).
        picture: what the mask belongs to; a COCO file is searched for its file name.
        label: only objects of this name; for a mask picture, the number in its label map.

    Raises:
        SizeMismatchError: the file is for a picture of another size.
        InputError: the file cannot be used, or marks nothing (of this label) in the picture.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        masks = [mask for _, mask in read_annotations(path, picture, label)]
        if not masks:
            named = f" named {label!r}" if label is not None else ""
            raise unusable(path, f"no outlined object{named} for {picture.name}")
        return reduce(or_, masks)
    mask = read_mask(path, picture.size) if label is None else _labelled(path, label)
    if mask.size != picture.size:
        raise SizeMismatchError(picture.size, mask.size, path.name)
    return mask


def _labelled(path: Path, label: str) -> Mask:
    if not label.isascii() or not label.isdigit():
        raise unusable(path, f"the label of a mask picture is a number in it, got {label!r}")
    label_map = read_label_map(path)
    mask = label_mask(label_map, int(label))
    if mask.is_empty:
        raise unusable(path, f"no pixel has the label {label}")
    return mask
