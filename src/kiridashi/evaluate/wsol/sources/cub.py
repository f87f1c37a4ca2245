"""CUB-200-2011 (Wah et al., 2011) in the folder that its archive unpacks to.

images.txt               number, file below images/
image_class_labels.txt   number, number of its class
classes.txt              number of a class, its name
train_test_split.txt     number, 1 for train or 0 for test
bounding_boxes.txt       number, x, y, width, height in pixels
segmentations/           masks, where the second archive lies beside: CLASS/NAME.png, inside from 128 on
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.files import unusable
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.texts import fingerprint, inside, table_of
from kiridashi.evaluate.wsol.boxes import Boxes, as_boxes
from kiridashi.evaluate.wsol.items import Item, PlainSet, Truth

IMAGES, LABELS, CLASSES = "images.txt", "image_class_labels.txt", "classes.txt"
SPLIT, BOXES = "train_test_split.txt", "bounding_boxes.txt"
SPLITS = {"1": "train", "0": "test"}
# Of five annotators three or more drew the pixel in.
INSIDE_FROM = 128


def read_cub(folder: Path) -> PlainSet | None:
    """The set; None when the folder is no such one.

    Raises:
        InputError: a list is damaged, or says nothing of a picture.
    """
    if not ((folder / IMAGES).is_file() and (folder / LABELS).is_file()):
        return None
    paths = [folder / name for name in (IMAGES, LABELS, CLASSES, SPLIT, BOXES)]
    files, labels, classes, splits, boxes = (table_of(path) for path in paths)
    items, masks = [], {}
    for number, name in files.items():
        try:
            label, split = classes[labels[number]], SPLITS[splits[number]]
        except KeyError as error:
            raise unusable(
                folder / IMAGES, f"picture {number}: the other lists do not tell its class and split"
            ) from error
        picture = inside(folder / "images", name, folder / IMAGES)
        items.append(Item(number, picture, (label,), split, number in boxes))
        masks[number] = inside(folder / "segmentations", name, folder / IMAGES).with_suffix(".png")
    corners = {number: _box(words, folder / BOXES) for number, words in boxes.items()}
    read = partial(_truth, corners, masks if (folder / "segmentations").is_dir() else {})
    names = tuple(dict.fromkeys(classes.values()))
    return PlainSet(folder.resolve().name, names, tuple(items), fingerprint(folder, paths), read)


def _box(words: str, path: Path) -> Boxes:
    try:
        x, y, width, height = (float(word) for word in words.split())
        return as_boxes([[x, y, x + width - 1, y + height - 1]])
    except (ValueError, InputError) as error:
        raise unusable(path, f"expected x, y, width and height, got {words[:60]!r}") from error


def _truth(
    boxes: Mapping[str, Boxes], masks: Mapping[str, Path], item: Item, _: str, picture: Picture
) -> Truth:
    if item.id not in boxes:
        raise InputError(f"picture {item.id}: {BOXES} has no box of it")
    path = masks.get(item.id)
    if path is None:
        return Truth(boxes[item.id])
    grey = Image.fromarray(read_picture(path).pixels).convert("L")
    mask = Mask.from_array(np.asarray(grey) >= INSIDE_FROM)
    if mask.size != picture.size:
        raise SizeMismatchError(picture.size, mask.size, path.name)
    return Truth.of_mask(mask, Mask.empty(mask.size), boxes[item.id])
