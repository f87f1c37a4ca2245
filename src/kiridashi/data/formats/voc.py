"""Pascal VOC: class and object segmentation as palette PNGs, boxes in an XML file a picture.

    JPEGImages/  SegmentationClass/  SegmentationObject/  Annotations/
    ImageSets/Segmentation/*.txt  labelmap.txt

Any of the annotations may be missing. `labelmap.txt` (`name:r,g,b::`, the background first) numbers the
classes; without it the 20 classes of the challenge do, or else the names in alphabetical order. The value 255
counts neither way. As in the challenge, the objects of the XML file are in the order of the object numbers.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.core.mask import Mask
from kiridashi.data.files import check_file, one_line, unusable
from kiridashi.data.formats.faults import Fault, known_class, problem, read_each
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Problem,
    Value,
)
from kiridashi.data.formats.shapes import read_box
from kiridashi.data.formats.xml import read_elements
from kiridashi.data.masks import label_mask, read_label_map
from kiridashi.data.raster import load_raster
from kiridashi.data.targets import PICTURE_SUFFIXES

FORMAT = "voc"
PICTURES, CLASSES, OBJECTS, XMLS, SETS = (
    "JPEGImages",
    "SegmentationClass",
    "SegmentationObject",
    "Annotations",
    "ImageSets",
)
LABELMAP = "labelmap.txt"
VOID = 255
CHALLENGE = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
MAX_LIST_BYTES, MAX_XML_BYTES = 2**26, 2**24
FLAGS = ("truncated", "difficult", "occluded")
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class _Object:
    """An `object` of an XML file."""

    name: str
    box: Box | None
    attributes: Mapping[str, Value]


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A VOC set.

    Args:
        path: the folder.
        pictures: folder of the pictures; None: `JPEGImages` in it.

    Raises:
        InputError: not such a folder, or its lists cannot be used.
    """
    if not path.is_dir() or not any((path / name).is_dir() for name in (CLASSES, OBJECTS, XMLS)):
        raise InputError(f"{path}: a VOC set is a folder with {CLASSES}, {OBJECTS} or {XMLS}")
    images = pictures or path / PICTURES
    files = {file.stem: file for file in _files(images, PICTURE_SUFFIXES)}
    splits = _splits(path)
    stems = list(splits) or sorted(
        {file.stem for name in (CLASSES, OBJECTS, XMLS) for file in _files(path / name, {".png", ".xml"})}
    )
    classes, colours = _classes(path, stems)

    def read_all() -> Iterator[AnnotatedPicture]:
        for stem in stems:
            yield _picture(path, stem, files.get(stem), images, splits.get(stem), classes, colours)

    return AnnotatedSet(path.resolve().name, FORMAT, classes, read_all)


def _files(folder: Path, suffixes: Any) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file())


def _splits(path: Path) -> dict[str, str | None]:
    """Split by stem; lists that join others (`trainval`) say nothing where those are there."""
    folder = next((f for f in (path / SETS / "Segmentation", path / SETS / "Main") if f.is_dir()), None)
    if folder is None:
        return {}
    lists = {file.stem: file for file in sorted(folder.glob("*.txt"))}
    if {"train", "val"} <= lists.keys():
        lists.pop("trainval", None)
    found: dict[str, str | None] = {}
    for split, file in lists.items():
        # Lists of one class (`cat_train.txt`) name the same pictures again.
        if folder.name == "Main" and "_" in split:
            continue
        if file.stat().st_size == 0:
            continue
        check_file(file, MAX_LIST_BYTES)
        for line in file.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            stem = line.split()[0] if line.split() else ""
            if not stem:
                continue
            if "/" in stem or "\\" in stem or stem.startswith(".") or "\0" in stem:
                raise unusable(
                    file, f"the name {one_line(stem)[:60]!r} leads out of the folder; one name a line"
                )
            found.setdefault(stem, None if split == "default" else split)
    return found


def _classes(path: Path, stems: Sequence[str]) -> tuple[dict[int, str], dict[tuple[int, int, int], int]]:
    """Names by value, and values by colour for label pictures that are coloured."""
    file = path / LABELMAP
    if file.is_file():
        return _labelmap(file)
    names = {one.name for stem in stems for one in _objects_or_none(path / XMLS / f"{stem}.xml")}
    if names <= set(CHALLENGE):
        return dict(enumerate(CHALLENGE, start=1)), {}
    return dict(enumerate(sorted(names), start=1)), {}


def _labelmap(file: Path) -> tuple[dict[int, str], dict[tuple[int, int, int], int]]:
    check_file(file, MAX_LIST_BYTES)
    classes, colours = {}, {}
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for value, line in enumerate(line for line in lines if line.strip() and not line.startswith("#")):
        name, _, rest = line.partition(":")
        numbers = rest.partition(":")[0].split(",")
        if len(numbers) == 3 and all(number.strip().isdecimal() for number in numbers):
            red, green, blue = (int(number) for number in numbers)
            colours[red, green, blue] = value
        if value:
            classes[value] = one_line(name)
    return classes, colours


def _objects_or_none(file: Path) -> list[_Object]:
    if not file.is_file():
        return []
    try:
        return _read_xml(file, (10**6, 10**6))[0]
    except InputError:
        return []


def _read_xml(file: Path, size: tuple[int, int]) -> tuple[list[_Object], list[tuple[int, Fault]]]:
    objects: list[_Object] = []
    faults: list[tuple[int, Fault]] = []
    for place, element in enumerate(read_elements(file, "object", max_bytes=MAX_XML_BYTES), start=1):
        name = one_line(element.findtext("name") or "")
        try:
            box = _box(element.find("bndbox"), size)
        except Fault as fault:
            faults.append((place, fault))
            box = None
        objects.append(_Object(name, box, _attributes(element)))
    return objects, faults


def _box(element: Any, size: tuple[int, int]) -> Box | None:
    """Corners count from 1 and are inside: the first pixel is 1 to 1."""
    if element is None:
        return None
    try:
        x0, y0, x1, y1 = (float(element.findtext(key) or "") for key in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError as error:
        raise Fault("bad-box", "a `bndbox` has xmin, ymin, xmax and ymax") from error
    return read_box([x0 - 1, y0 - 1, x1, y1], size)


def _attributes(element: Any) -> dict[str, Value]:
    found: dict[str, Value] = {flag: True for flag in FLAGS if element.findtext(flag) == "1"}
    pose = element.findtext("pose")
    if pose and pose != "Unspecified":
        found["pose"] = pose
    for one in element.iterfind("attributes/attribute"):
        text = one.findtext("value") or ""
        found[one.findtext("name") or ""] = text == "true" if text in ("true", "false") else text
    return found


def _picture(
    path: Path,
    stem: str,
    file: Path | None,
    images: Path,
    split: str | None,
    classes: Mapping[int, str],
    colours: Mapping[tuple[int, int, int], int],
) -> AnnotatedPicture:
    found = find(file.name if file else stem, (images,))
    size, problems = found.size, list(found.problems)
    maps: dict[str, Labels] = {}
    for name in (CLASSES, OBJECTS):
        place = path / name / f"{stem}.png"
        if not place.is_file():
            continue
        try:
            maps[name] = _read_map(place, colours)
        except InputError as error:
            problems.append(problem(found.name, error))
            continue
        shape = maps[name].shape
        size = size or (shape[0], shape[1])
        if maps[name].shape != size:
            mismatch = SizeMismatchError(size, (shape[0], shape[1]), place.name)
            problems.append(Problem("size-mismatch", found.name, one_line(str(mismatch))))
            del maps[name]
    if size is not None:
        problems = [one for one in problems if one.kind != "no-size"]
    annotations: list[Annotation] = []
    ignore = None
    if size is not None:
        objects: list[_Object] = []
        if (xml := path / XMLS / f"{stem}.xml").is_file():
            try:
                objects, faults = _read_xml(xml, size)
                problems += [problem(found.name, fault, place) for place, fault in faults]
            except InputError as error:
                problems.append(problem(found.name, error))
        annotations, more = _annotations(maps, objects, classes, found.name)
        problems += more
        if maps:
            void = np.any([labels == VOID for labels in maps.values()], axis=0)
            ignore = Mask.from_array(void) if void.any() else None
    return AnnotatedPicture(
        found.name, size or (0, 0), tuple(annotations), found.path, None, split, {}, ignore, tuple(problems)
    )


def _read_map(path: Path, colours: Mapping[tuple[int, int, int], int]) -> Labels:
    """Values of a palette or grey PNG; of a coloured one those of its colours in `labelmap.txt`."""
    if colours and (samples := load_raster(path).samples).ndim == 3:
        flat = samples[..., :3].reshape(-1, 3)
        distinct, inverse = np.unique(flat, axis=0, return_inverse=True)
        # Objects have colours of their own: these are numbered in order.
        values = [colours.get((int(r), int(g), int(b))) for r, g, b in distinct]
        known = all(value is not None for value in values)
        table = np.array([v or 0 for v in values] if known else np.arange(len(distinct)), dtype=np.int32)
        labels: Labels = table[inverse.ravel()].reshape(samples.shape[:2])
        return labels
    return read_label_map(path)


def _annotations(
    maps: Mapping[str, Labels], objects: Sequence[_Object], classes: Mapping[int, str], picture: str
) -> tuple[list[Annotation], list[Problem]]:
    ids = {name: label for label, name in classes.items()}
    segmented: dict[int, Annotation] = {}
    problems: list[Problem] = []
    if CLASSES in maps:
        regions = _regions(maps)
        for number, (label, mask) in regions.items():
            if label not in classes:
                text = f"the value {label} of {CLASSES} is not one of the classes"
                problems.append(Problem("unknown-class", picture, text, str(number)))
                continue
            segmented[number] = Annotation(label, mask)
    used: set[int] = set()
    if OBJECTS in maps:
        for number, one in segmented.items():
            match = objects[number - 1] if number <= len(objects) else None
            if match is not None and ids.get(match.name) == one.label:
                used.add(number)
                segmented[number] = replace(one, box=match.box, attributes=match.attributes)
    rest = [
        one
        for place, one in enumerate(objects, start=1)
        # Regions of a class map are of all objects of the class together: their boxes say no more.
        if place not in used and (OBJECTS in maps or CLASSES not in maps)
    ]
    boxed, more = read_each(rest, lambda one: _boxed(one, ids), picture)
    return [*segmented.values(), *boxed], problems + more


def _boxed(one: _Object, ids: Mapping[str, int]) -> Annotation | None:
    label = known_class(ids.get(one.name), one.name)
    return None if one.box is None else Annotation(label, one.box, attributes=one.attributes)


def _regions(maps: Mapping[str, Labels]) -> dict[int, tuple[int, Mask]]:
    """Class and mask by object number; by the class itself where objects are not told apart."""
    labels = maps[CLASSES]
    if OBJECTS not in maps:
        values = [int(v) for v in np.unique(labels) if v not in (0, VOID)]
        return {value: (value, label_mask(labels, value)) for value in values}
    found = {}
    objects = maps[OBJECTS]
    for number in (int(v) for v in np.unique(objects) if v not in (0, VOID)):
        mask = label_mask(objects, number)
        inside = Counter(labels[mask.slices][mask.bitmap].tolist())
        inside = Counter({value: count for value, count in inside.items() if value not in (0, VOID)})
        found[number] = (inside.most_common(1)[0][0] if inside else 0, mask)
    return found
