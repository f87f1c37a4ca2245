"""Label maps: `images/`, `masks/` of PNGs of equal names, and `meta.json`, which says what the values are.

    meta.json   classes: {"0": "background", "1": "scratch", ...}
                items:   [{"id": "part-7", "classes": [1], "split": "train", "tags": {"light": "dim"}}, ...]

`label-map`: values are classes, and one class is one object in a picture. `instance-map`: values are numbers
of objects, whose classes each item names (`"instances": {"1": "scratch"}`). Of items with one `class` or
`label` everything marked is of it. 255 counts neither way. Without `items` every picture of `images/`
is one, and wants a mask. Without `meta.json` every pixel above 0, 255 too, is of the one class `object`, as
everywhere in the project.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError, SizeMismatchError
from kiridashi.data.annotations.document import read_document, records
from kiridashi.data.atomic import write_json
from kiridashi.data.files import one_line
from kiridashi.data.formats.faults import Fault, known_class, problem, read_each
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Annotation, Box, Problem
from kiridashi.data.formats.shapes import read_box
from kiridashi.data.formats.voc import VOID
from kiridashi.data.formats.voc_writing import draw
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures
from kiridashi.data.masks import label_mask, read_label_map, write_label_map
from kiridashi.data.targets import PICTURE_SUFFIXES

CLASS_MAP, INSTANCE_MAP = "label-map", "instance-map"
META = "meta.json"
PLAIN_CLASS = "object"
MASK_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp"})
_KEPT = frozenset({"ignore", "tags"})


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A set of label maps.

    Args:
        path: the folder, or its `meta.json`.
        pictures: folder of the pictures; None: `images` in it.

    Raises:
        InputError: `meta.json` is not as described.
    """
    folder = path if path.is_dir() else path.parent
    meta = folder / META
    images = pictures or folder / "images"
    files = {file.stem: file for file in _files(images, PICTURE_SUFFIXES)}
    masks = {file.stem: file for file in _files(folder / "masks", MASK_SUFFIXES)}
    marked = (folder / "masks").is_dir()
    plain = marked and not meta.is_file()
    document = {"classes": {"1": PLAIN_CLASS}} if plain else read_document(meta)
    listed = "items" in document or not marked
    # What `meta.json` would list.
    unlisted = [{"id": stem} for stem in sorted({*files, *masks})]
    items = records(document, "items", meta) if listed else unlisted
    by_instance = any("instances" in item for item in items)
    classes = _classes(document, items)
    reader = _Reader(classes, images, files, masks, binary=plain, all_masked=not listed)

    def read_all() -> Iterator[AnnotatedPicture]:
        return map(reader.picture, items)

    return AnnotatedSet(folder.resolve().name, INSTANCE_MAP if by_instance else CLASS_MAP, classes, read_all)


def _files(folder: Path, suffixes: Any) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes and file.is_file())


def _classes(document: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    given = document.get("classes")
    listed = {
        int(value): one_line(str(name))
        for value, name in (given.items() if isinstance(given, dict) else ())
        if str(value).isdecimal() and len(str(value)) < 10 and int(value) not in (0, VOID)
    }
    named: dict[str, None] = {}
    for item in items:
        instances = item.get("instances")
        if isinstance(instances, dict):
            named.update(dict.fromkeys(one_line(str(name)) for name in instances.values()))
        if (own := _own(item)) is not None:
            named[own] = None
    if not named or set(named) <= set(listed.values()):
        return listed
    return dict(enumerate(sorted(named), start=1))


def _own(item: Mapping[str, Any]) -> str | None:
    """The one class of an item, where it names one."""
    for key in ("class", "label"):
        if isinstance(item.get(key), str):
            return one_line(item[key])
    return None


class _Reader:
    """Reads items.

    Args:
        classes: names by id.
        images: folder of the pictures.
        files: pictures by id of the item.
        masks: by id of the item.
        binary: every value above 0 is the class.
        all_masked: every picture wants a mask.
    """

    def __init__(
        self,
        classes: Mapping[int, str],
        images: Path,
        files: Mapping[str, Path],
        masks: Mapping[str, Path],
        *,
        binary: bool,
        all_masked: bool,
    ) -> None:
        self._classes, self._images, self._files, self._masks = classes, images, files, masks
        self._binary, self._all_masked = binary, all_masked
        self._ids = {name: label for label, name in reversed(tuple(classes.items()))}

    def picture(self, item: Mapping[str, Any]) -> AnnotatedPicture:
        """The picture of an item."""
        written = item.get("id")
        name = written if isinstance(written, str) else ""
        file = self._files.get(name)
        found = find(file.name if file else name, (self._images,))
        problems, size = list(found.problems), found.size
        annotations: list[Annotation] = []
        ignore = None
        mask = self._masks.get(name)
        if mask is not None:
            try:
                labels = read_label_map(mask)
                labels = np.minimum(labels, 1) if self._binary else labels
                size = size or (labels.shape[0], labels.shape[1])
                if labels.shape != size:
                    raise Fault(
                        "size-mismatch",
                        str(SizeMismatchError(size, (labels.shape[0], labels.shape[1]), mask.name)),
                    )
                problems = [one for one in problems if one.kind != "no-size"]
                annotations, more = read_each(*self._regions(labels, item), found.name)
                problems += more
                ignore = label_mask(labels, VOID)
            except InputError as error:
                problems.append(problem(found.name, error))
        elif size is not None:
            annotations, more = read_each(
                self._boxes(item), lambda one: self._boxed(one, item, size), found.name
            )
            problems += more
        if mask is None and (self._all_masked or item.get("classes")):
            problems.append(Problem("missing-mask", found.name, "masks/ has no file of this name"))
        split, tags = item.get("split"), item.get("tags")
        own = _own(item)
        return AnnotatedPicture(
            found.name,
            size or (0, 0),
            tuple(annotations),
            found.path,
            split=split if isinstance(split, str) else None,
            tags={
                **({"label": own} if own is not None and not annotations else {}),
                **({str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {}),
            },
            ignore=ignore if ignore is not None and not ignore.is_empty else None,
            problems=tuple(problems),
        )

    def _regions(self, labels: Any, item: Mapping[str, Any]) -> tuple[list[int], Callable[[int], Annotation]]:
        """The values of a map, and what reads one of them; values that the item states are there too."""
        values = [int(v) for v in np.unique(labels) if v not in (0, VOID)]
        instances = item.get("instances")
        own = _own(item)
        if isinstance(instances, dict):
            named = {int(k): one_line(str(v)) for k, v in instances.items() if k.isdecimal() and len(k) < 10}
            values = sorted({*values, *named})

            def read_one(value: int) -> Annotation:
                name = named.get(value)
                if value not in named:
                    raise Fault("unknown-class", f"the value {value} of the mask is no instance of the item")
                return self._region(labels, value, known_class(self._ids.get(str(name)), name))

        elif own is not None:
            whole = np.isin(labels, values)
            values = [1] if values else []

            def read_one(value: int) -> Annotation:
                return self._region(whole, value, known_class(self._ids.get(own), own))

        else:
            stated = item.get("classes")
            stated = [v for v in stated if type(v) is int] if isinstance(stated, list) else []
            values = sorted({*values, *stated})

            def read_one(value: int) -> Annotation:
                return self._region(
                    labels, value, known_class(value if value in self._classes else None, value)
                )

        return values, read_one

    @staticmethod
    def _region(labels: Any, value: int, label: int) -> Annotation:
        mask = label_mask(labels, value)
        if mask.is_empty:
            raise Fault("empty-mask", f"no pixel has the value {value}, which {META} states")
        return Annotation(label, mask)

    @staticmethod
    def _boxes(item: Mapping[str, Any]) -> list[Any]:
        several, single = item.get("bboxes_xyxy"), item.get("bbox_xyxy")
        return several if isinstance(several, list) else [] if single is None else [single]

    def _boxed(self, values: Any, item: Mapping[str, Any], size: tuple[int, int]) -> Annotation | None:
        own = _own(item)
        if own is None:
            return None
        if (
            not isinstance(values, list)
            or len(values) != 4
            or not all(type(v) in (int, float) for v in values)
        ):
            raise Fault("bad-box", "a box is four numbers: x0, y0, x1, y1")
        x0, y0, x1, y1 = values
        # Both corners are inside.
        return Annotation(known_class(self._ids.get(own), own), read_box([x0, y0, x1 + 1, y1 + 1], size))


def write_class_map(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write maps of classes; objects of one class become one.

    Raises:
        InputError: more than 254 classes.
        UsageError: the folder cannot be written.
    """
    return _write(annotated, folder, by_instance=False)


def write_instance_map(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write maps of instances, of which each picture may hold 254.

    Raises:
        InputError: more than 254 classes.
        UsageError: the folder cannot be written.
    """
    return _write(annotated, folder, by_instance=True)


def _write(annotated: AnnotatedSet, folder: OutFolder, *, by_instance: bool) -> Written:
    ids = sorted(annotated.classes)
    new: Mapping[int, int] = dict(zip(ids, ids, strict=True))
    if any(not 0 < label < VOID for label in ids):
        new = renumbered(annotated, 1, folder.written, most=VOID - 1)
    items: list[dict[str, Any]] = []

    def one(picture: AnnotatedPicture) -> int:
        drawn = [one for one in picture.annotations if not isinstance(one.shape, Box)]
        if len(drawn) >= VOID and by_instance:
            raise Fault("too-many", f"{len(drawn)} objects in a picture; a map numbers at most {VOID - 1}")
        # Objects are merged into classes; the numbers in between only say which lies on top.
        classes, objects = draw(drawn, picture, new, folder.written)
        name = folder.place(picture, "images", flat=True)
        stem = Path(name).stem
        values = objects if by_instance else classes
        write_label_map(folder.path / "masks" / f"{stem}.png", values)
        present = [int(v) for v in np.unique(values) if v not in (0, VOID)]
        item: dict[str, Any] = {"id": stem}
        if by_instance:
            item["instances"] = {str(v): annotated.classes[drawn[v - 1].label] for v in present}
        else:
            item["classes"] = present
            folder.written.lose("objects of one class told apart", len(drawn) - len(present))
        if picture.split is not None:
            item["split"] = picture.split
        if picture.tags:
            item["tags"] = dict(picture.tags)
        items.append(item)
        folder.written.lose("boxes without a mask", len(picture.annotations) - len(drawn))
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(present)

    written = write_pictures(annotated, folder, one)
    names = {"0": "background", **{str(new[label]): annotated.classes[label] for label in ids}}
    write_json(folder.path / META, {"classes": names, "ignore": VOID, "items": items}, indent=1)
    return written
