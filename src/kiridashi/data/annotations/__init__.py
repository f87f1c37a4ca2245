"""Outlined objects from the files of annotation tools."""

from pathlib import Path

from kiridashi.core.picture import Picture
from kiridashi.data.annotations import coco, labelme
from kiridashi.data.annotations.document import read_document
from kiridashi.data.annotations.outlines import LabelledMask
from kiridashi.data.files import unusable

__all__ = ["LabelledMask", "read_annotations"]


def read_annotations(path: str | Path, picture: Picture, label: str | None = None) -> list[LabelledMask]:
    """The objects that a COCO or LabelMe file marks in a picture; its content says which it is.

    Args:
        path: the JSON file.
        picture: the picture; a COCO file is searched for its file name.
        label: only objects of this name.

    Raises:
        SizeMismatchError: the file is for a picture of another size.
        InputError: the file cannot be used, or does not know the picture or the label.
    """
    path = Path(path)
    document = read_document(path)
    if "shapes" in document:
        return labelme.masks(document, path, picture, label)
    if "images" in document and "annotations" in document:
        return coco.masks(document, path, picture, label)
    raise unusable(path, "neither a COCO file (images, annotations, categories) nor a LabelMe file (shapes)")
