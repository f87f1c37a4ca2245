"""A folder of `images/`, `masks/` where there are any, and `meta.json`, which names the labels.

`meta.json` holds `items`, each with an `id` (the stem of its files) and either `label` (the one class of the
picture; its mask is every value but 0 and 255) or `classes` (the values of its mask that are classes; maybe
none). An item may hold a `split`, and `bboxes_xyxy` or `bbox_xyxy`, boxes of its objects with both corners
inside. The `classes` at the top name the values of masks, or the labels. 255 in a mask counts in neither.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.files import unusable
from kiridashi.data.masks import label_mask, read_label_map
from kiridashi.evaluate.episodes import IGNORE
from kiridashi.evaluate.texts import by_stem, fingerprint
from kiridashi.evaluate.wsol.boxes import Boxes, as_boxes
from kiridashi.evaluate.wsol.items import Item, PlainSet, Truth

META = "meta.json"


def read_folder(folder: Path) -> PlainSet:
    """The set of a folder.

    Raises:
        InputError: the folder lacks something, or `meta.json` is not as described.
    """
    path = folder / META
    document = read_document(path)
    entries = records(document, "items", path)
    values = _values(document)
    pictures, masks = by_stem(folder / "images"), by_stem(folder / "masks")
    boxes = {str(entry.get("id")): _boxes(entry, path) for entry in entries}
    items = tuple(_item(entry, values, pictures, masks, boxes, path) for entry in entries)
    if len({item.id for item in items}) < len(items):
        raise unusable(path, "two items have one id")
    named = tuple(sorted({label for item in items for label in item.labels}))
    files = [path, *pictures.values(), *masks.values()]
    by_label = {label: value for value, label in values.items()}
    read = partial(_truth, boxes, masks, by_label if any("classes" in e for e in entries) else {})
    return PlainSet(folder.resolve().name, named, items, fingerprint(folder, files), read)


def _item(
    entry: Mapping[str, Any],
    values: Mapping[int, str],
    pictures: Mapping[str, Path],
    masks: Mapping[str, Path],
    boxes: Mapping[str, Boxes | None],
    path: Path,
) -> Item:
    name, split = entry.get("id"), entry.get("split")
    if not isinstance(name, str) or name not in pictures:
        raise unusable(path, f"names the item {str(name)[:80]!r}, which images/ does not have")
    if split is not None and not isinstance(split, str):
        raise unusable(path, f"{name}: `split` is a name")
    return Item(
        name, pictures[name], _labels(entry, values, path), split, boxes[name] is not None or name in masks
    )


def _labels(entry: Mapping[str, Any], values: Mapping[int, str], path: Path) -> tuple[str, ...]:
    label, classes = entry.get("label"), entry.get("classes")
    if isinstance(label, str) and label:
        return (label,)
    try:
        return tuple(dict.fromkeys(values[int(value)] for value in classes))  # type: ignore[union-attr]
    except (KeyError, TypeError, ValueError) as error:
        raise unusable(
            path,
            f"{entry.get('id')}: expected a `label`, or `classes` that the file names; got {classes!r:.80}",
        ) from error


def _values(document: Mapping[str, Any]) -> dict[int, str]:
    """Names by the values of masks."""
    named = document.get("classes")
    if not isinstance(named, dict):
        named = {}
    return {int(value): str(name) for value, name in named.items() if str(value).isdecimal()}


def _boxes(entry: Mapping[str, Any], path: Path) -> Boxes | None:
    single, several = entry.get("bbox_xyxy"), entry.get("bboxes_xyxy")
    given = several if several is not None else None if single is None else [single]
    if given is None:
        return None
    try:
        return as_boxes(given)
    except InputError as error:
        raise unusable(path, f"{entry.get('id')}: {error}") from error


def _truth(
    boxes: Mapping[str, Boxes | None],
    masks: Mapping[str, Path],
    values: Mapping[str, int],
    item: Item,
    label: str,
    picture: Picture,
) -> Truth:
    """`values` are those of masks by label; none when a mask is of the picture's one label."""
    known = boxes[item.id]
    if item.id not in masks:
        if known is None:
            raise InputError(f"{item.id}: there is neither a box nor a mask to measure it by")
        return Truth(known)
    labels = read_label_map(masks[item.id])
    if labels.shape != picture.size:
        raise SizeMismatchError(picture.size, (labels.shape[0], labels.shape[1]), masks[item.id].name)
    ignore = label_mask(labels, IGNORE)
    inside = labels == values[label] if values else (labels != 0) & (labels != IGNORE)
    if not np.any(inside):
        raise unusable(masks[item.id], f"no pixel of {label!r}, which {META} says is there")
    # Boxes of a picture with several labels do not say of which they are.
    return Truth.of_mask(Mask.from_array(inside), ignore, known if len(item.labels) == 1 else None)
