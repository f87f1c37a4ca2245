"""CVAT for images 1.1: one XML file; polygons, masks, boxes, ellipses and tags, read image by image.

Polygons of one label and `group_id` are parts of one object. Written are `annotations.xml` and `images/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.data.atomic import atomic_path
from kiridashi.data.files import one_line, unusable
from kiridashi.data.formats.faults import Fault, known_class, read_each
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Points,
    Polygons,
    Shape,
    Value,
)
from kiridashi.data.formats.shapes import check_points, placed, read_box, short
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures
from kiridashi.data.formats.xml import XmlWriter, read_elements

FORMAT = "cvat"
FILE = "annotations.xml"
_AREAS = ("polygon", "mask", "box", "ellipse")
_WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid")
_KEPT = frozenset({"attributes", "picture id", "tags"})
_VALUE = "value"
_CORNERS = 96


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A set that CVAT exported.

    Args:
        path: the XML file, or a folder with `annotations.xml`.
        pictures: folder of the pictures; None: `images` beside the file, and that of the file.

    Raises:
        InputError: not such a file, or one of a video with tracks.
    """
    file = path / FILE if path.is_dir() else path
    listed: list[str] = []
    met: dict[str, None] = {}
    for element in read_elements(file, "meta", "image", "track"):
        if element.tag == "track":
            raise unusable(file, "holds tracks of a video; export the task as `CVAT for images 1.1`")
        if element.tag == "meta":
            listed = [one_line(name.text or "") for name in element.iterfind(".//labels/label/name")]
            if listed:
                break
        else:
            met.update(dict.fromkeys(_label(one) for one in element if one.tag in _AREAS))
    classes = dict(enumerate(dict.fromkeys(listed) or sorted(met), start=1))
    ids = {name: label for label, name in classes.items()}
    folders = (pictures,) if pictures is not None else _folders(file)

    def read_all() -> Iterator[AnnotatedPicture]:
        for element in read_elements(file, "image"):
            yield _picture(element, folders, ids)

    return AnnotatedSet(file.stem if path.is_file() else path.resolve().name, FORMAT, classes, read_all)


def _folders(file: Path) -> tuple[Path, ...]:
    beside = file.parent / "images"
    return (beside, file.parent) if beside.is_dir() else (file.parent,)


def _label(element: Any) -> str:
    return one_line(element.get("label", ""))


def _picture(element: Any, folders: Sequence[Path], ids: Mapping[str, int]) -> AnnotatedPicture:
    stated = (_whole(element.get("height")), _whole(element.get("width")))
    found = find(element.get("name"), folders, stated)
    size, problems = found.size, list(found.problems)
    annotations: list[Annotation] = []
    if size is not None:
        marks = [one for one in element if one.tag in _AREAS or one.tag in _WITHOUT_AREA]
        annotations, more = read_each(
            _grouped(marks), lambda group: _annotation(group, size, ids), found.name
        )
        problems += more
    number = element.get("id")
    return AnnotatedPicture(
        found.name,
        size or (0, 0),
        tuple(annotations),
        found.path,
        _whole(number) if number is not None else None,
        element.get("subset") or None,
        _tags(element),
        problems=tuple(problems),
    )


def _tags(element: Any) -> dict[str, str]:
    tags = {}
    for tag in element.iterfind("tag"):
        name = _label(tag)
        values = {one.get("name", ""): one_line(one.text or "") for one in tag.iterfind("attribute")}
        tags[name] = values.pop(_VALUE, "true")
        tags |= {f"{name}.{key}": value for key, value in values.items()}
    return tags


def _grouped(marks: Sequence[Any]) -> list[list[Any]]:
    """Polygons that are parts of one object together, in the order of the first."""
    groups: dict[Any, list[Any]] = {}
    for place, mark in enumerate(marks):
        number = mark.get("group_id", "0")
        joined = mark.tag == "polygon" and number not in ("0", "")
        groups.setdefault((_label(mark), number) if joined else place, []).append(mark)
    return list(groups.values())


def _annotation(group: Sequence[Any], size: tuple[int, int], ids: Mapping[str, int]) -> Annotation:
    first = group[0]
    if first.tag in _WITHOUT_AREA:
        raise Fault("no-area", f"a {first.tag} has no area")
    label = known_class(ids.get(_label(first)), first.get("label"))
    shapes = [_shape(one, size) for one in group]
    whole = Polygons(tuple(part for one in shapes if isinstance(one, Polygons) for part in one.parts))
    return Annotation(label, whole if len(shapes) > 1 else shapes[0], attributes=_attributes(first))


def _attributes(element: Any) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if element.get("occluded") == "1":
        found["occluded"] = True
    if element.get("z_order", "0") != "0":
        found["z_order"] = _whole(element.get("z_order"))
    for one in element.iterfind("attribute"):
        text = one.text or ""
        found[one.get("name", "")] = text == "true" if text in ("true", "false") else text
    return found


def _shape(element: Any, size: tuple[int, int]) -> Shape:
    if element.tag == "polygon":
        return Polygons((_points(element.get("points", ""), size),))
    if element.tag == "mask":
        return _mask(element, size)
    if element.tag == "ellipse":
        x, y, a, b = (_real(element, key) for key in ("cx", "cy", "rx", "ry"))
        angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        curve = np.stack([a * np.cos(angles), b * np.sin(angles)], axis=1)
        return Polygons((check_points(_turned(curve, element) + np.array([x, y]), size),))
    x0, y0, x1, y1 = (_real(element, key) for key in ("xtl", "ytl", "xbr", "ybr"))
    if float(element.get("rotation", "0") or 0):
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - middle
        return Polygons((check_points(_turned(corners, element) + middle, size),))
    return read_box([x0, y0, x1, y1], size)


def _turned(points: Points, element: Any) -> Points:
    angle = np.deg2rad(_real(element, "rotation")) if element.get("rotation") else 0.0
    turned: Points = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned


def _points(text: str, size: tuple[int, int]) -> Points:
    try:
        values = [float(v) for v in text.replace(";", ",").split(",") if v.strip()]
        points = np.array(values, dtype=np.float64).reshape(-1, 2)
    except (ValueError, OverflowError) as error:
        raise Fault("damaged", "an outline is x,y;x,y;...") from error
    if len(points) < 3:
        raise Fault("empty-mask", f"an outline of {len(points)} points has no area")
    return check_points(points, size)


def _mask(element: Any, size: tuple[int, int]) -> Mask:
    """Run lengths by rows inside of a box, the background first."""
    x, y, width, height = (int(_real(element, key)) for key in ("left", "top", "width", "height"))
    if width < 1 or height < 1 or width > size[1] or height > size[0]:
        raise Fault("outside-picture", f"a mask of {width} x {height} in a picture of {size[1]} x {size[0]}")
    text = element.get("rle", "")
    try:
        runs = [int(v) for v in text.split(",")]
    except ValueError as error:
        raise Fault(
            "damaged", "the run lengths of a mask are whole numbers with commas between them"
        ) from error
    if min(runs) < 0 or sum(runs) != width * height:
        raise Fault("damaged", f"the run lengths of a mask do not add up to its {width} x {height} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return placed(flat.reshape(height, width), x, y, size)


def _real(element: Any, key: str) -> float:
    try:
        value = float(element.get(key, ""))
    except ValueError as error:
        raise Fault("damaged", f"a {element.tag} has no number in `{key}`") from error
    if not np.isfinite(value) or abs(value) > 1e7:
        raise Fault("not-finite", f"`{key}` of a {element.tag} is {value}")
    return value


def _whole(text: str | None) -> Any:
    try:
        return int(text or "")
    except ValueError:
        return text


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a set that CVAT imports as `CVAT 1.1`.

    Raises:
        UsageError: the folder cannot be written.
    """
    ids = sorted(annotated.classes)
    if ids != list(range(1, len(ids) + 1)):
        renumbered(annotated, 1, folder.written)
    taken: set[Any] = set()
    with atomic_path(folder.path / FILE) as temporary, temporary.open("w", encoding="utf-8") as stream:
        xml = XmlWriter(stream)
        xml.begin("annotations")
        xml.text("version", "1.1")
        xml.begin("meta")
        xml.begin("task")
        xml.text("name", annotated.name)
        xml.text("mode", "annotation")
        xml.begin("labels")
        for label in ids:
            xml.begin("label")
            xml.text("name", annotated.classes[label])
            xml.end("label")
        xml.end("labels")
        xml.end("task")
        xml.end("meta")

        def one(picture: AnnotatedPicture) -> int:
            name = folder.place(picture, "images")
            number = picture.id if type(picture.id) is int and picture.id not in taken else None
            if number is None:
                number = next(n for n in range(len(taken) + 1) if n not in taken)
            taken.add(number)
            _write_picture(xml, picture, name, number, annotated.classes)
            lose_common(picture, folder.written, keeps=_KEPT)
            return len(picture.annotations)

        written = write_pictures(annotated, folder, one)
        xml.end("annotations")
        xml.close()
    return written


def _write_picture(
    xml: XmlWriter, picture: AnnotatedPicture, name: str, number: int, classes: Mapping[int, str]
) -> None:
    height, width = picture.size
    attributes = {"id": str(number), "name": name, "width": str(width), "height": str(height)}
    if picture.split is not None:
        attributes["subset"] = picture.split
    xml.begin("image", attributes)
    for key, value in picture.tags.items():
        xml.begin("tag", {"label": key, "source": "manual"})
        if value != "true":
            xml.text("attribute", value, {"name": _VALUE})
        xml.end("tag")
    group = 0
    for annotation in picture.annotations:
        several = isinstance(annotation.shape, Polygons) and len(annotation.shape.parts) > 1
        group += several
        _write_annotation(xml, annotation, picture.size, classes[annotation.label], group if several else 0)
    xml.end("image")


def _write_annotation(
    xml: XmlWriter, annotation: Annotation, size: tuple[int, int], name: str, group: int
) -> None:
    attributes = dict(annotation.attributes)
    occluded = attributes.pop("occluded", False) is True
    order = attributes.get("z_order", 0)
    order = attributes.pop("z_order") if type(order) is int and "z_order" in attributes else 0
    common = {"label": name, "source": "manual", "occluded": str(int(occluded)), "z_order": str(order)}
    if group:
        common["group_id"] = str(group)
    for tag, own in _elements(annotation, size):
        xml.begin(tag, {**common, **own})
        for key, value in attributes.items():
            xml.text("attribute", str(value).lower() if type(value) is bool else str(value), {"name": key})
        xml.end(tag)


def _elements(annotation: Annotation, size: tuple[int, int]) -> list[tuple[str, dict[str, str]]]:
    shape = annotation.shape
    if isinstance(shape, Box):
        corners = {"xtl": shape.x0, "ytl": shape.y0, "xbr": shape.x1, "ybr": shape.y1}
        return [("box", {key: str(short(value)) for key, value in corners.items()})]
    if isinstance(shape, Mask):
        mask = annotation.mask(size)
        height, width = mask.bitmap.shape
        flat = mask.bitmap.ravel()
        changes = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])
        runs = np.diff(changes).tolist()
        # The background comes first, if only with nothing.
        counts = ",".join(map(str, [0, *runs] if flat[0] else runs))
        place = {"left": mask.origin[0], "top": mask.origin[1], "width": width, "height": height}
        return [("mask", {"rle": counts, **{key: str(value) for key, value in place.items()}})]
    return [
        ("polygon", {"points": ";".join(f"{short(x)},{short(y)}" for x, y in part.tolist())})
        for part in shape.parts
    ]
