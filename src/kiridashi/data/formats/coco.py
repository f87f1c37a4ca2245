"""COCO instance files: polygons, run lengths and boxes; a file a split.

Read are one JSON file, a folder of them (`annotations/instances_train.json`), and folders of splits with a
file in each (`train/_annotations.coco.json`). Written are `images/` and `annotations.json`, or
`annotations/instances_SPLIT.json` where the set has splits.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.annotations.document import read_value, records
from kiridashi.data.atomic import write_json
from kiridashi.data.files import one_line, unusable
from kiridashi.data.formats.faults import Fault, known_class, problem, read_each, read_score, read_values
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Polygons,
    Problem,
    Shape,
)
from kiridashi.data.formats.shapes import box_of, read_box, read_points, short
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, write_pictures
from kiridashi.data.targets import safe_stem

FORMAT = "coco"
MAX_BYTES = 2**30
_SPLIT = re.compile(r"(?:instances|annotations|panoptic)_(.+)")
_ROBOFLOW = "_annotations.coco.json"
_KEPT = frozenset({"score", "crowd", "id", "attributes", "box", "picture id", "tags"})


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A COCO set.

    Args:
        path: a file, or a folder as described above.
        pictures: folder that `file_name` starts from; None: that of the file, and `images` in or beside it.

    Raises:
        InputError: the files cannot be used, or name their classes differently.
    """
    files = files_of(path)
    parts = [_Part(file, split, pictures) for file, split in files]
    classes: dict[int, str] = {}
    for part in parts:
        for label, name in part.classes.items():
            if classes.setdefault(label, name) != name:
                raise unusable(
                    part.path, f"category {label} is {name!r} here and {classes[label]!r} elsewhere"
                )

    def read_all() -> Iterator[AnnotatedPicture]:
        for part in parts:
            yield from part

    problems = tuple(problem for part in parts for problem in part.problems)
    return AnnotatedSet(
        path.stem if path.is_file() else path.resolve().name, FORMAT, classes, read_all, problems
    )


def files_of(path: Path) -> list[tuple[Path, str | None]]:
    """The COCO files of a path with their splits.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        return [(path, None)]
    nested = [(file, file.parent.name) for file in sorted(path.glob(f"*/{_ROBOFLOW}"))]
    if nested:
        return [(file, split) for file, split in nested]
    for folder in (path / "annotations", path):
        found = [file for file in sorted(folder.glob("*.json")) if file.is_file()]
        if found:
            named = [(file, match[1] if (match := _SPLIT.fullmatch(file.stem)) else None) for file in found]
            return [(file, split if split or len(named) == 1 else file.stem) for file, split in named]
    raise InputError(f"{path}: no COCO file here (annotations/*.json, *.json or */{_ROBOFLOW})")


class _Part:
    """One file."""

    def __init__(self, path: Path, split: str | None, pictures: Path | None) -> None:
        self.path, self._split = path, split
        document = read_value(path, MAX_BYTES)
        if not isinstance(document, dict) or not {"images", "annotations"} <= document.keys():
            raise unusable(path, "not a COCO file (images, annotations, categories)")
        self.classes, self.problems = _classes(document, path)
        self._images = records(document, "images", path)
        known = {_key(image.get("id")) for image in self._images}
        self._marks: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
        for mark in records(document, "annotations", path):
            self._marks[_key(mark.get("image_id"))].append(mark)
        orphans = sum(len(marks) for image, marks in self._marks.items() if image not in known)
        if orphans:
            text = f"{orphans} annotations are of pictures that {path.name} does not list"
            self.problems.append(Problem("orphan", None, text))
        self._folders = _folders(path, pictures)

    def __iter__(self) -> Iterator[AnnotatedPicture]:
        for image in self._images:
            picture = self._picture(image)
            if picture is not None:
                yield picture

    def _picture(self, image: Mapping[str, Any]) -> AnnotatedPicture:
        stated = (_whole(image.get("height")), _whole(image.get("width")))
        found = find(image.get("file_name"), self._folders, stated)
        number = image.get("id")
        entries = self._marks.get(_key(number), [])
        problems, size = found.problems, found.size
        annotations: list[Annotation] = []
        if size is not None:
            annotations, more = read_each(
                entries, lambda mark: self._annotation(mark, size, found.name, problems), found.name, _id
            )
            problems = problems + more
        tags = image.get("tags")
        return AnnotatedPicture(
            found.name,
            size or (0, 0),
            tuple(annotations),
            found.path,
            number if type(number) in (int, str) else None,
            self._split,
            {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {},
            problems=tuple(problems),
        )

    def _annotation(
        self, mark: Mapping[str, Any], size: tuple[int, int], picture: str, problems: list[Problem]
    ) -> Annotation:
        number = mark.get("category_id")
        label = known_class(number if type(number) is int and number in self.classes else None, number)
        box = None
        shape = _shape(mark.get("segmentation"), size)
        if mark.get("bbox") is not None:
            try:
                box = _box(mark["bbox"], size)
            except Fault as error:
                if shape is None:
                    raise
                problems.append(problem(picture, Fault("stated-box", str(error)), _id(mark)))
        if shape is None and box is None:
            raise Fault("empty-mask", "an annotation without outline and box")
        return Annotation(
            label,
            box if shape is None and box is not None else shape,  # type: ignore[arg-type]
            _id(mark),
            read_score(mark.get("score")),
            bool(mark.get("iscrowd")),
            box if shape is not None else None,
            read_values(mark.get("attributes")),
        )


def _shape(segmentation: Any, size: tuple[int, int]) -> Shape | None:
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        if segmentation.get("size") != list(size):
            stated = str(segmentation.get("size"))[:40]
            raise Fault("size-mismatch", f"run lengths of size {stated} in a picture of size {list(size)}")
        return Mask.from_rle(segmentation)
    if not isinstance(segmentation, list):
        raise Fault("damaged", "a segmentation is a list of polygons or a run-length object")
    return Polygons(tuple(read_points(one, size) for one in segmentation))


def _box(value: Any, size: tuple[int, int]) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(type(v) in (int, float) for v in value):
        raise Fault("bad-box", "a `bbox` is four numbers: x, y, width, height")
    x, y, width, height = value
    return read_box([x, y, x + width, y + height], size)


def _classes(document: dict[str, Any], path: Path) -> tuple[dict[int, str], list[Problem]]:
    classes: dict[int, str] = {}
    problems = []
    for entry in records(document, "categories", path) if "categories" in document else []:
        number, name = entry.get("id"), one_line(str(entry.get("name")))
        if type(number) is not int:
            text = f"the id of a category is a whole number, got {str(number)[:40]}"
            problems.append(Problem("class-names", None, text))
        elif number in classes:
            problems.append(Problem("class-names", None, f"two categories have the id {number}"))
        else:
            classes[number] = name
    return classes, problems


def _folders(path: Path, pictures: Path | None) -> tuple[Path, ...]:
    if pictures is not None:
        return (pictures,)
    above = path.parent.parent if path.parent.name == "annotations" else path.parent
    candidates = (above / "images", path.parent / "images", path.parent, above)
    return tuple(dict.fromkeys(folder for folder in candidates if folder.is_dir()))


def _id(mark: Mapping[str, Any]) -> int | str | None:
    number = mark.get("id")
    return number if type(number) in (int, str) else None


def _key(number: Any) -> Any:
    return number if isinstance(number, int | str) else repr(number)


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a COCO set.

    Raises:
        UsageError: the folder cannot be written.
    """
    images: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)
    marks: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)

    def one(picture: AnnotatedPicture) -> int:
        made = [_mark(annotation, picture) for annotation in picture.annotations]
        name = folder.place(picture, "images")
        height, width = picture.size
        image: dict[str, Any] = {"id": picture.id, "file_name": name, "width": width, "height": height}
        if picture.tags:
            image["tags"] = dict(picture.tags)
        images[picture.split].append(image)
        marks[picture.split] += [{**mark, "image_id": image} for mark in made]
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(made)

    written = write_pictures(annotated, folder, one)
    _number([image for part in images.values() for image in part], written, "ids of pictures")
    _number([mark for part in marks.values() for mark in part], written, "ids of annotations")
    categories = [{"id": label, "name": name} for label, name in annotated.classes.items()]
    for split in images or {None: []}:
        document = {
            "info": {"description": "Made with Kiridashi"},
            "licenses": [],
            "images": images[split],
            "annotations": [{**mark, "image_id": mark["image_id"]["id"]} for mark in marks[split]],
            "categories": categories,
        }
        write_json(folder.path / _file(split, alone=len(images) <= 1), document)
    return written


def _file(split: str | None, *, alone: bool) -> str:
    if split is None:
        return "annotations.json" if alone else "annotations/instances_unsplit.json"
    return f"annotations/instances_{safe_stem(split)}.json"


def _mark(annotation: Annotation, picture: AnnotatedPicture) -> dict[str, Any]:
    shape = annotation.shape
    mask = annotation.mask(picture.size)
    box = annotation.box or box_of(shape)
    mark: dict[str, Any] = {
        "id": annotation.id,
        "category_id": annotation.label,
        "segmentation": _segmentation(shape),
        "bbox": [] if box is None else [short(v) for v in (box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)],
        "area": mask.area,
        "iscrowd": int(annotation.crowd),
    }
    if annotation.score is not None:
        mark["score"] = annotation.score
    if annotation.attributes:
        mark["attributes"] = dict(annotation.attributes)
    return mark


def _segmentation(shape: Shape) -> Any:
    if isinstance(shape, Box):
        return []
    if isinstance(shape, Mask):
        return shape.to_rle()
    return [[short(value) for value in part.ravel().tolist()] for part in shape.parts]


def _number(entries: Sequence[dict[str, Any]], written: Written, what: str) -> None:
    """Give entries without an id, or with one that is taken, the next free one."""
    taken = {entry["id"] for entry in entries}
    seen: set[Any] = set()
    number = 0
    for entry in entries:
        if entry["id"] is None or entry["id"] in seen:
            written.lose(f"{what} (given twice)", int(entry["id"] is not None))
            number += 1
            while number in taken:
                number += 1
            entry["id"] = number
        seen.add(entry["id"])
