"""Labels from a COCO file: the categories of a picture's annotations.

Outlines and boxes say more than a label does; training does not see them. A picture without annotations has
nothing in it.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.files import one_line, unusable
from kiridashi.data.places import find_picture, folders_of
from kiridashi.localize.labels.boxes import checked_box
from kiridashi.localize.labels.gathering import Claim
from kiridashi.localize.labels.items import Box, Refused
from kiridashi.localize.labels.names import clean

NOTHING = "none"


def read_coco(path: Path, pictures: Path | None) -> tuple[list[Claim], list[Refused]]:
    """What a COCO file claims, picture by picture.

    Args:
        path: the file.
        pictures: folder that `file_name` starts from; None: that of the file, and `images` in it.

    Raises:
        InputError: no COCO file.
    """
    document = read_document(path)
    if not {"images", "annotations", "categories"} <= document.keys():
        raise unusable(path, "not a COCO file (images, annotations, categories)")
    names = {_key(one.get("id")): str(one.get("name")) for one in records(document, "categories", path)}
    marks: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for mark in records(document, "annotations", path):
        marks[_key(mark.get("image_id"))].append(mark)
    folders = folders_of(path, pictures)
    claims: list[Claim] = []
    refused: list[Refused] = []
    for image in records(document, "images", path):
        written = image.get("file_name")
        try:
            place = find_picture(written if isinstance(written, str) else "", folders)
            claims.append(_claim(place, marks.get(_key(image.get("id")), []), names))
        except InputError as error:
            refused.append(Refused(one_line(str(written)[:200]), one_line(str(error))))
    return claims, refused


def _claim(place: Path, marks: list[dict[str, Any]], names: dict[Any, str]) -> Claim:
    labels = []
    for mark in marks:
        number = _key(mark.get("category_id"))
        if number not in names:
            raise InputError(
                f"an annotation has the category {str(number)[:40]}, which the file does not name"
            )
        labels.append(clean(names[number]))
    boxes = [box for mark in marks if (box := _box(mark.get("bbox"))) is not None]
    return Claim(place, tuple(dict.fromkeys(labels)) or (NOTHING,), boxes=tuple(dict.fromkeys(boxes)))


def _box(value: Any) -> Box | None:
    """Corners of x, y, width, height; None where there is no box."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(type(one) in (int, float) for one in value):
        raise InputError("an annotation's `bbox` is not four numbers")
    x, y, width, height = map(float, value)
    return checked_box((x, y, x + width, y + height))


def _key(number: Any) -> Any:
    return number if isinstance(number, int | str) else repr(number)
