"""Label Studio: a JSON list of tasks, as the tool exports and imports.

Read are the regions of brushes, polygons, rectangles and ellipses of a task's first annotation that was not
cancelled, or else of its first prediction. Choices of the whole picture and further data of the task are
tags; choices, numbers and texts of a region are its attributes. A labelling configuration beside the file
(`config.xml`) gives the order of the classes. Written are `tasks.json`, `config.xml` and `images/`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from kiridashi.core.mask import Mask
from kiridashi.data.annotations.document import read_value
from kiridashi.data.atomic import write_json, write_text
from kiridashi.data.files import one_line, unusable
from kiridashi.data.formats.brush import decode_brush, encode_brush
from kiridashi.data.formats.faults import Fault, known_class, read_each, read_score, read_values
from kiridashi.data.formats.finding import Found, find
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
from kiridashi.data.formats.shapes import check_points, read_box
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures
from kiridashi.data.formats.xml import read_elements

FORMAT = "label-studio"
CONFIG, TASKS = "config.xml", "tasks.json"
MAX_BYTES = 2**28
_LABELS = {
    "brushlabels": "brushlabels",
    "polygonlabels": "polygonlabels",
    "rectanglelabels": "rectanglelabels",
    "ellipselabels": "ellipselabels",
    "labels": "labels",
}
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
_KEPT = frozenset({"score", "id", "attributes", "picture id", "tags"})
# Of a curved outline.
_CORNERS = 96


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A Label Studio set.

    Args:
        path: an export, or a folder with a `tasks.json`.
        pictures: folder of the pictures; None: that of the file, and `images` in it.

    Raises:
        InputError: no list of tasks.
    """
    file = path / TASKS if path.is_dir() else path
    tasks = read_value(file, MAX_BYTES)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise unusable(file, "a Label Studio export is a list of tasks")
    listed = _configured(file.parent / CONFIG)
    names = listed or sorted({name for task in tasks for one in _regions(task)[0] for name in _names(one)})
    classes = dict(enumerate(names, start=1))
    ids = {name: label for label, name in reversed(classes.items())}
    beside = file.parent / "images"
    folders = (
        (pictures,) if pictures is not None else (beside, file.parent) if beside.is_dir() else (file.parent,)
    )

    def read_all() -> Iterator[AnnotatedPicture]:
        for task in tasks:
            yield _picture(task, folders, ids)

    return AnnotatedSet(file.stem if path.is_file() else path.resolve().name, FORMAT, classes, read_all)


def _configured(path: Path) -> list[str]:
    if not path.is_file():
        return []
    names = [element.get("value", "") for element in read_elements(path, "Label")]
    return list(dict.fromkeys(one_line(name) for name in names if name))


def _regions(task: Mapping[str, Any]) -> tuple[list[dict[str, Any]], float | None, int]:
    """The results of the annotation that counts, its score if it is a prediction, and how many there were."""
    for key in ("annotations", "completions", "predictions"):
        given = task.get(key)
        usable = [
            one
            for one in (given if isinstance(given, list) else [])
            if isinstance(one, dict) and isinstance(one.get("result"), list) and not one.get("was_cancelled")
        ]
        if usable:
            results = [result for result in usable[0]["result"] if isinstance(result, dict)]
            score = read_score(usable[0].get("score")) if key == "predictions" else None
            return results, score, len(usable)
    return [], None, 0


def _names(result: Mapping[str, Any]) -> list[str]:
    value = result.get("value")
    key = _LABELS.get(str(result.get("type")))
    names = value.get(key) if isinstance(value, dict) and key else None
    return [one_line(str(name)) for name in names] if isinstance(names, list) else []


def _picture(task: Mapping[str, Any], folders: Sequence[Path], ids: Mapping[str, int]) -> AnnotatedPicture:
    results, score, count = _regions(task)
    data = task.get("data")
    data = data if isinstance(data, dict) else {}
    key = _image_key(data)
    stated = next(
        (
            (result.get("original_height"), result.get("original_width"))
            for result in results
            if "original_width" in result
        ),
        None,
    )
    found = _find(data.get(key), folders, stated)
    size, problems = found.size, list(found.problems)
    if count > 1:
        text = f"{count} annotations of one task; the first one counts"
        problems.append(Problem("several-annotators", found.name, text))
    annotations: list[Annotation] = []
    if size is not None:
        more_of = _attributes(results)
        regions = [result for result in results if str(result.get("type")) in _LABELS]
        annotations, more = read_each(
            regions,
            lambda one: _annotations(one, size, ids, score, more_of),
            found.name,
            lambda one: one.get("id"),
        )
        problems += more
    number, split = task.get("id"), data.get("split")
    return AnnotatedPicture(
        found.name,
        size or (0, 0),
        tuple(annotations),
        found.path,
        number if type(number) in (int, str) else None,
        split if isinstance(split, str) else None,
        _tags(data, key, results),
        problems=tuple(problems),
    )


def _image_key(data: Mapping[str, Any]) -> str:
    for key in ("image", "img", "picture"):
        if isinstance(data.get(key), str):
            return key
    return next((key for key, value in data.items() if isinstance(value, str) and "/" in value), "image")


def _find(written: object, folders: Sequence[Path], stated: tuple[object, object] | None) -> Found:
    """Look for the picture behind an address of the tool: an upload, a local file, or one on the web."""
    text = written if isinstance(written, str) else ""
    parts = urlsplit(text) if "://" in text or text.startswith("/") else None
    if parts is not None:
        local = parse_qs(parts.query).get("d")
        text = local[0] if local else unquote(parts.path).rsplit("/", 1)[-1]
    found = find(text, folders, stated)
    if found.path is None and "/" in text:
        other = find(text.rsplit("/", 1)[-1], folders, stated)
        found = other if other.path is not None else found
    if found.path is None and _UPLOAD.match(text.rsplit("/", 1)[-1]):
        # The tool puts eight digits in front of an uploaded file's name.
        other = find(_UPLOAD.sub("", text.rsplit("/", 1)[-1]), folders, stated)
        found = other if other.path is not None else found
    return found


def _tags(data: Mapping[str, Any], key: str, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    tags = {
        one_line(str(name)): one_line(str(value))
        for name, value in data.items()
        if name not in (key, "split") and type(value) in (str, int, float, bool)
    }
    regions = {str(result.get("id")) for result in results if str(result.get("type")) in _LABELS}
    for result in results:
        value = result.get("value")
        choices = value.get("choices") if isinstance(value, dict) else None
        of_region = str(result.get("id")) in regions
        if result.get("type") == "choices" and isinstance(choices, list) and not of_region:
            tags[one_line(str(result.get("from_name")))] = ";".join(one_line(str(one)) for one in choices)
    return tags


def _attributes(results: Sequence[Mapping[str, Any]]) -> dict[Any, dict[str, Value]]:
    """Attributes by the id of the region."""
    found: dict[Any, dict[str, Value]] = {}
    for result in results:
        kind, value, number = result.get("type"), result.get("value"), result.get("id")
        if not isinstance(value, dict) or not isinstance(number, str | int):
            continue
        name = str(result.get("from_name"))
        if kind == "number":
            found.setdefault(number, {}).update(read_values({name: value.get("number")}))
        elif kind in ("choices", "textarea"):
            texts = value.get("choices" if kind == "choices" else "text")
            if isinstance(texts, list) and texts:
                text = ";".join(str(one) for one in texts)
                found.setdefault(number, {})[name] = text == "true" if text in ("true", "false") else text
    return found


def _annotations(
    result: Mapping[str, Any],
    size: tuple[int, int],
    ids: Mapping[str, int],
    score: float | None,
    attributes: Mapping[Any, Mapping[str, Value]],
) -> list[Annotation]:
    stated = (result.get("original_height"), result.get("original_width"))
    if stated != (None, None) and stated != size:
        raise Fault(
            "size-mismatch", f"a region for {stated[1]} x {stated[0]} pixels, not {size[1]} x {size[0]}"
        )
    value = result.get("value")
    names = _names(result)
    if not isinstance(value, dict) or not names:
        raise Fault("unknown-class", "a region without a label")
    shape = _shape(value, size)
    number = result.get("id")
    own = read_score(result.get("score"))
    return [
        Annotation(
            known_class(ids.get(name), name),
            shape,
            number if type(number) in (int, str) else None,
            score if own is None else own,
            attributes=dict(attributes.get(number, {})) if isinstance(number, str | int) else {},
        )
        for name in names
    ]


def _shape(value: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    """Coordinates are in percent of the sides."""
    height, width = size
    if "rle" in value:
        data = value["rle"]
        if not isinstance(data, list):
            raise Fault("damaged", "the run lengths of a brush mask are a list of numbers")
        return Mask.from_array(decode_brush(data, size))
    if "points" in value:
        points = np.array(_numbers(value["points"]), dtype=np.float64).reshape(-1, 2)
        if len(points) < 3:
            raise Fault("empty-mask", f"an outline of {len(points)} points has no area")
        return Polygons((check_points(points * (width / 100, height / 100), size),))
    if "radiusX" in value:
        x, y, a, b = (_number(value, key) for key in ("x", "y", "radiusX", "radiusY"))
        angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        curve = np.stack([a * width * np.cos(angles), b * height * np.sin(angles)], axis=1) / 100
        return _turned(curve, (x * width / 100, y * height / 100), value, size)
    x, y, w, h = (_number(value, key) for key in ("x", "y", "width", "height"))
    x0, y0, w, h = x * width / 100, y * height / 100, w * width / 100, h * height / 100
    if value.get("rotation"):
        return _turned(np.array([[0, 0], [w, 0], [w, h], [0, h]]), (x0, y0), value, size)
    return read_box([x0, y0, x0 + w, y0 + h], size)


def _turned(
    points: Any, origin: tuple[float, float], value: Mapping[str, Any], size: tuple[int, int]
) -> Polygons:
    """Points about an origin, turned clockwise by the rotation in degrees."""
    angle = np.deg2rad(_number(value, "rotation") if value.get("rotation") else 0.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return Polygons((check_points(points @ turn + origin, size),))


def _number(value: Mapping[str, Any], key: str) -> float:
    number = read_score(value.get(key))
    if number is None or abs(number) > 1e6:
        raise Fault(
            "not-finite", f"`{key}` of a region is a number in percent, got {str(value.get(key))[:40]}"
        )
    return number


def _numbers(points: Any) -> list[float]:
    if not isinstance(points, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(type(v) in (int, float) for v in pair)
        for pair in points
    ):
        raise Fault("damaged", "an outline is a list of pairs of numbers")
    try:
        return [float(v) for pair in points for v in pair]
    except OverflowError as error:
        raise Fault("not-finite", "an outline has a number that is not finite") from error


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a Label Studio set: bitmaps and shapes of several parts as brush masks, outlines as polygons.

    Raises:
        UsageError: the folder cannot be written.
    """
    ids = sorted(annotated.classes)
    if ids != list(range(1, len(ids) + 1)):
        renumbered(annotated, 1, folder.written)
    tasks: list[dict[str, Any]] = []
    seen: set[Any] = set()

    def one(picture: AnnotatedPicture) -> int:
        results: list[dict[str, Any]] = []
        for place, annotation in enumerate(picture.annotations, start=1):
            results += _results(annotation, picture.size, annotated.classes[annotation.label], place)
        name = folder.place(picture, "images")
        data: dict[str, Any] = {"image": f"/data/local-files/?d=images/{name}", **picture.tags}
        if picture.split is not None:
            data["split"] = picture.split
        task: dict[str, Any] = {"data": data, "annotations": [{"result": results}]}
        if picture.id is not None and picture.id not in seen:
            task = {"id": picture.id, **task}
            seen.add(picture.id)
        tasks.append(task)
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(picture.annotations)

    written = write_pictures(annotated, folder, one)
    write_json(folder.path / TASKS, tasks)
    write_text(folder.path / CONFIG, _config([annotated.classes[label] for label in ids]))
    return written


def _results(annotation: Annotation, size: tuple[int, int], name: str, place: int) -> list[dict[str, Any]]:
    number = str(annotation.id) if annotation.id is not None else f"r{place}"
    height, width = size
    shape = annotation.shape
    if isinstance(shape, Box):
        kind = "rectanglelabels"
        value: dict[str, Any] = {
            "x": _percent(shape.x0, width),
            "y": _percent(shape.y0, height),
            "width": _percent(shape.x1 - shape.x0, width),
            "height": _percent(shape.y1 - shape.y0, height),
            "rotation": 0,
        }
    elif isinstance(shape, Polygons) and len(shape.parts) == 1:
        kind = "polygonlabels"
        points = [[_percent(x, width), _percent(y, height)] for x, y in shape.parts[0].tolist()]
        value = {"points": points, "closed": True}
    else:
        kind = "brushlabels"
        value = {"format": "rle", "rle": encode_brush(annotation.mask(size).to_array())}
    common = {
        "id": annotation.id if annotation.id is not None else number,
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
    }
    region: dict[str, Any] = {**common, "from_name": kind, "type": kind, "value": {**value, kind: [name]}}
    if annotation.score is not None:
        region["score"] = annotation.score
    return [region, *(_attribute(common, key, one) for key, one in annotation.attributes.items())]


def _attribute(common: Mapping[str, Any], key: str, value: Value) -> dict[str, Any]:
    if type(value) in (int, float):
        return {**common, "from_name": key, "type": "number", "value": {"number": value}}
    text = str(value).lower() if type(value) is bool else str(value)
    return {**common, "from_name": key, "type": "choices", "value": {"choices": [text]}}


def _percent(value: float, side: int) -> float:
    return float(f"{100 * value / side:.12g}")


def _config(names: Sequence[str]) -> str:
    kinds = {
        "brushlabels": "BrushLabels",
        "polygonlabels": "PolygonLabels",
        "rectanglelabels": "RectangleLabels",
    }
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in names)
    controls = "".join(
        f'  <{tag} name="{kind}" toName="image">\n{labels}  </{tag}>\n' for kind, tag in kinds.items()
    )
    return f'<View>\n  <Image name="image" value="$image"/>\n{controls}</View>\n'
