"""ILSVRC's classification and localisation part (Russakovsky et al., 2015) in the folder of its archive.

    ImageSets/CLS-LOC/train_cls.txt        WNID/NAME and a number a line
    ImageSets/CLS-LOC/val.txt              NAME and a number a line
    Data/CLS-LOC/train/WNID/NAME.JPEG      Data/CLS-LOC/val/NAME.JPEG
    Annotations/CLS-LOC/train/WNID/NAME.xml, for a part of them; Annotations/CLS-LOC/val/NAME.xml for all
    LOC_synset_mapping.txt                 WNID and its names, where it lies beside

The field measures on val. Classes are called by their WNID.
"""

from functools import partial
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.data.files import check_file, reason_of, unusable
from kiridashi.evaluate.texts import fingerprint, inside, lines_of
from kiridashi.evaluate.wsol.boxes import as_boxes
from kiridashi.evaluate.wsol.items import Item, PlainSet, Truth

PART = "CLS-LOC"
TRAIN_LIST, VAL_LIST = "train_cls.txt", "val.txt"
MAX_XML_BYTES = 2**20


def read_ilsvrc(folder: Path) -> PlainSet | None:
    """The set; None when the folder is no such one.

    Raises:
        InputError: a list is damaged, or a validation picture has no annotation.
    """
    lists = folder / "ImageSets" / PART
    if not (lists / VAL_LIST).is_file():
        return None
    data, notes = folder / "Data" / PART, folder / "Annotations" / PART
    items = []
    if (lists / TRAIN_LIST).is_file():
        items += [_train(name, data, notes, lists / TRAIN_LIST) for name in _names(lists / TRAIN_LIST)]
    items += [_val(name, data, notes, lists / VAL_LIST) for name in _names(lists / VAL_LIST)]
    classes = tuple(sorted({item.labels[0] for item in items}))
    read = partial(_truth, notes, lists)
    paths = [lists / TRAIN_LIST, lists / VAL_LIST]
    return PlainSet(folder.resolve().name, classes, tuple(items), fingerprint(folder, paths), read)


def _names(path: Path) -> list[str]:
    return [line.split()[0] for line in lines_of(path)]


def _train(name: str, data: Path, notes: Path, source: Path) -> Item:
    label, slash, _ = name.partition("/")
    if not slash:
        raise unusable(source, f"expected WNID/NAME, got {name[:60]!r}")
    marked = _note(notes / "train", name, source).is_file()
    return Item(f"train/{name}", inside(data / "train", f"{name}.JPEG", source), (label,), "train", marked)


def _val(name: str, data: Path, notes: Path, source: Path) -> Item:
    found = _objects(_note(notes / "val", name, source))
    if not found:
        raise unusable(_note(notes / "val", name, source), "no object in it, so the picture has no class")
    # Every object of a picture is of its one class.
    return Item(f"val/{name}", inside(data / "val", f"{name}.JPEG", source), (found[0][0],), "val")


def _note(folder: Path, name: str, source: Path) -> Path:
    return inside(folder, f"{name}.xml", source)


def _truth(notes: Path, lists: Path, item: Item, label: str, _: Picture) -> Truth:
    path = _note(notes, item.id, lists)
    boxes = [corners for name, corners in _objects(path) if name == label]
    if not boxes:
        raise unusable(path, f"no box of {label!r}")
    return Truth(as_boxes(boxes))


def _objects(path: Path) -> list[tuple[str, tuple[float, ...]]]:
    """(class, corners) of each object of an annotation."""
    from defusedxml import ElementTree

    check_file(path, MAX_XML_BYTES)
    try:
        root = ElementTree.parse(path).getroot()
        objects = [] if root is None else root.iter("object")
        return [(str(one.findtext("name")), _corners(one.find("bndbox"))) for one in objects]
    # The parser's own errors have no common base but this.
    except Exception as error:
        raise unusable(path, f"no annotation of PASCAL VOC's form ({reason_of(error)})") from error


def _corners(box: Any) -> tuple[float, ...]:
    if box is None:
        raise InputError("an object without a box")
    return tuple(float(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax"))
