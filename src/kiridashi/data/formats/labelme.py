"""LabelMe: a JSON file a picture, beside it.

Read are one file or a folder of them. Shapes of one label and `group_id` are parts of one object.
`labels.txt` gives the order of the classes as the tool's own examples do (a first line `__ignore__`, a second
`_background_`, then ids from 1 on); without it the names count in alphabetical order.
"""

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.annotations import labelme as tool
from kiridashi.data.annotations.document import read_value
from kiridashi.data.atomic import write_text
from kiridashi.data.files import check_file, one_line, unusable
from kiridashi.data.formats.faults import Fault, known_class, read_each, read_score, read_values
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Polygons,
    Problem,
    Shape,
    Value,
)
from kiridashi.data.formats.shapes import read_box, read_points, short
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures

FORMAT = "labelme"
LABELS = "labels.txt"
_HEAD = ("__ignore__", "_background_")
_KEPT = frozenset({"score", "attributes", "id", "tags"})
_CORNERS = {"rectangle": 2, "circle": 2, "mask": 2}
MAX_LABELS_BYTES = 2**20


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A LabelMe set.

    Args:
        path: a file, or a folder that is searched to the bottom.
        pictures: folder that `imagePath` starts from; None: that of each file.

    Raises:
        InputError: there is no such file, or the first pass over them fails.
    """
    files = [path] if not path.is_dir() else sorted(p for p in path.rglob("*.json") if p.is_file())
    root = path if path.is_dir() else path.parent
    usable, problems, labels = [], [], {}
    for file in files:
        try:
            document = read_value(file)
            if not _is_labelme(document):
                continue
        except InputError as error:
            problems.append(Problem("damaged", None, one_line(str(error))))
            continue
        usable.append(file)
        labels.update(dict.fromkeys(_label(shape) for shape in document["shapes"] if isinstance(shape, dict)))
    if not usable:
        raise InputError(f"{path}: no LabelMe file here (JSON with `shapes`)")
    listed = _listed(root / LABELS)
    classes = listed if listed is not None else dict(enumerate(sorted(labels), start=1))
    ids = {name: label for label, name in reversed(classes.items())}

    def read_all() -> Iterator[AnnotatedPicture]:
        for file in usable:
            yield _picture(file, root, pictures, ids)

    return AnnotatedSet(
        path.stem if path.is_file() else path.resolve().name, FORMAT, classes, read_all, tuple(problems)
    )


def _is_labelme(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("shapes"), list)


def _label(shape: Mapping[str, Any]) -> str:
    return one_line(str(shape.get("label")))


def _listed(path: Path) -> dict[int, str] | None:
    if not path.is_file():
        return None
    check_file(path, MAX_LABELS_BYTES)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    names = [one_line(line) for line in lines if line.strip() and line.strip() not in _HEAD]
    return dict(enumerate(names, start=1))


def _picture(file: Path, root: Path, pictures: Path | None, ids: Mapping[str, int]) -> AnnotatedPicture:
    document = read_value(file)
    if not _is_labelme(document):
        raise unusable(file, "changed while it was read")
    written = document.get("imagePath")
    beside = (pictures,) if pictures is not None else (file.parent, root)
    found = find(written if isinstance(written, str) else file.stem, beside, _stated(document))
    name = found.name
    if found.path is not None and pictures is None and found.path.is_relative_to(root):
        name = found.path.relative_to(root).as_posix()
    size, problems = found.size, list(found.problems)
    annotations: list[Annotation] = []
    if size is not None:
        shapes = [shape for shape in document["shapes"] if isinstance(shape, dict)]
        annotations, more = read_each(
            _grouped(shapes), lambda group: _annotation(group, size, ids, file), name
        )
        problems += more
    split = document.get("split")
    return AnnotatedPicture(
        name,
        size or (0, 0),
        tuple(annotations),
        found.path,
        split=split if isinstance(split, str) else None,
        tags=_tags(document),
        problems=tuple(problems),
    )


def _stated(document: Mapping[str, Any]) -> tuple[object, object]:
    return document.get("imageHeight"), document.get("imageWidth")


def _tags(document: Mapping[str, Any]) -> dict[str, str]:
    flags, tags = document.get("flags"), document.get("tags")
    found = (
        {str(key): "true" for key, value in flags.items() if value is True} if isinstance(flags, dict) else {}
    )
    return {**found, **({str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {})}


def _grouped(shapes: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Shapes that are parts of one object together, in the order of the first."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for place, shape in enumerate(shapes):
        number = shape.get("group_id")
        joined = type(number) is int and (shape.get("shape_type") or "polygon") == "polygon"
        groups.setdefault((_label(shape), number) if joined else place, []).append(shape)
    return list(groups.values())


def _annotation(
    group: Sequence[dict[str, Any]], size: tuple[int, int], ids: Mapping[str, int], file: Path
) -> Annotation:
    first = group[0]
    label = known_class(ids.get(_label(first)), first.get("label"))
    shapes = [_shape(shape, size, file) for shape in group]
    whole = Polygons(tuple(part for one in shapes if isinstance(one, Polygons) for part in one.parts))
    number = first.get("id")
    return Annotation(
        label,
        whole if len(shapes) > 1 else shapes[0],
        number if type(number) in (int, str) else None,
        read_score(first.get("score")),
        attributes=_attributes(first),
    )


def _attributes(shape: Mapping[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key in ("flags", "attributes"):
        found |= read_values(shape.get(key))
    description = shape.get("description")
    if isinstance(description, str) and description:
        found["description"] = description
    return found


def _shape(shape: Mapping[str, Any], size: tuple[int, int], file: Path) -> Shape:
    kind = shape.get("shape_type") or "polygon"
    points = shape.get("points")
    if kind == "polygon":
        return Polygons((read_points(points, size),))
    if kind == "rectangle" and isinstance(points, list) and len(points) == 4:
        return Polygons((read_points(points, size),))
    if kind == "rectangle":
        corners = read_points(
            [*points, points[0]] if isinstance(points, list) and len(points) == 2 else None, size
        )
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        return read_box([float(x0), float(y0), float(x1), float(y1)], size)
    if kind in tool.WITHOUT_AREA:
        raise Fault("no-area", f"a {kind} has no area")
    return tool.shape_mask(dict(shape), size, file)


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a LabelMe set: pictures and their files side by side, and `labels.txt`.

    Raises:
        UsageError: the folder cannot be written.
    """
    ids = sorted(annotated.classes)
    if ids != list(range(1, len(ids) + 1)):
        renumbered(annotated, 1, folder.written)

    def one(picture: AnnotatedPicture) -> int:
        shapes = []
        group = 0
        for annotation in picture.annotations:
            made = _made(annotation, picture.size, annotated.classes[annotation.label])
            if len(made) > 1:
                group += 1
                made = [{**shape, "group_id": group} for shape in made]
            shapes += made
        name = folder.place(picture, flat=False)
        document: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {key: True for key, value in picture.tags.items() if value == "true"},
            "shapes": shapes,
            "imagePath": PurePosixPath(name).name,
            "imageData": None,
            "imageHeight": picture.size[0],
            "imageWidth": picture.size[1],
        }
        if any(value != "true" for value in picture.tags.values()):
            document["tags"] = {key: value for key, value in picture.tags.items() if value != "true"}
        if picture.split is not None:
            document["split"] = picture.split
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
        target = PurePosixPath(name)
        plain = target.with_suffix(".json")
        # Two pictures that differ by their suffix have a file each.
        taken = plain in names
        names.add(target.with_name(f"{target.name}.json") if taken else plain)
        write_text(folder.path / (target.with_name(f"{target.name}.json") if taken else plain), text + "\n")
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(picture.annotations)

    names: set[PurePosixPath] = set()
    written = write_pictures(annotated, folder, one)
    lines = [*_HEAD, *(annotated.classes[label] for label in ids)]
    write_text(folder.path / LABELS, "".join(f"{line}\n" for line in lines))
    return written


def _made(annotation: Annotation, size: tuple[int, int], name: str) -> list[dict[str, Any]]:
    attributes = dict(annotation.attributes)
    common: dict[str, Any] = {
        "label": name,
        "group_id": None,
        "description": str(attributes.pop("description", "")),
        "flags": {key: value for key, value in attributes.items() if type(value) is bool},
    }
    if other := {key: value for key, value in attributes.items() if type(value) is not bool}:
        common["attributes"] = other
    if annotation.score is not None:
        common["score"] = annotation.score
    if annotation.id is not None:
        common["id"] = annotation.id
    shape = annotation.shape
    if isinstance(shape, Box):
        points = [[short(shape.x0), short(shape.y0)], [short(shape.x1), short(shape.y1)]]
        return [{**common, "points": points, "shape_type": "rectangle", "mask": None}]
    if isinstance(shape, Mask):
        return [{**common, **_bitmap(annotation.mask(size)), "shape_type": "mask"}]
    return [
        {
            **common,
            "points": [[short(x), short(y)] for x, y in part.tolist()],
            "shape_type": "polygon",
            "mask": None,
        }
        for part in shape.parts
    ]


def _bitmap(mask: Mask) -> dict[str, Any]:
    from PIL import Image

    x0, y0, x1, y1 = mask.box
    stream = io.BytesIO()
    Image.fromarray(mask.bitmap.astype(np.uint8) * np.uint8(255)).save(stream, format="PNG")
    # The tool gives the last pixel, not the one behind it.
    points = [[x0, y0], [x1 - 1, y1 - 1]]
    return {"points": points, "mask": base64.b64encode(stream.getvalue()).decode("ascii")}
