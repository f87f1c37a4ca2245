"""YOLO: a text file a picture, a line an object, coordinates as shares of the sides, and `data.yaml`.

Read are a `data.yaml`, a folder with one, or a folder of `images/`, `labels/` and `classes.txt`. A line of
five numbers is a box, one of seven and more an outline; a last number more is a score. Written are
`data.yaml`, `images/SPLIT` and `labels/SPLIT`, one outline an object: parts are joined by ways there and back
that enclose nothing.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_text
from kiridashi.data.files import check_file, one_line, reason_of, unusable
from kiridashi.data.formats.faults import Fault, known_class, read_each, read_score
from kiridashi.data.formats.finding import find
from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Points,
    Polygons,
    Problem,
)
from kiridashi.data.formats.shapes import as_single_outline, check_points, read_box
from kiridashi.data.formats.tags import write_tags
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures
from kiridashi.data.targets import find_targets

FORMAT = "yolo"
MAX_YAML_BYTES, MAX_LABEL_BYTES = 2**20, 2**26
NAMES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_SPLITS = ("train", "val", "test")
_KEPT = frozenset({"score", "tags"})


def read(path: Path, pictures: Path | None = None) -> AnnotatedSet:
    """A YOLO set.

    Args:
        path: `data.yaml`, or a folder as described above.
        pictures: folder that the paths in `data.yaml` start from; None: that of the file.

    Raises:
        InputError: the files cannot be used, or a path in `data.yaml` leads to no folder inside of that.
    """
    file = _yaml_file(path)
    if file is None:
        return _plain(path)
    document = _read_yaml(file)
    classes = _classes(document, file)
    root = pictures or file.parent
    parts = _parts(document, root, file)

    def read_all() -> Iterator[AnnotatedPicture]:
        names: set[str] = set()
        for split, folder, files in parts:
            for picture in files:
                name = picture.relative_to(folder).as_posix()
                if name in names and split is not None:
                    name = f"{split}/{name}"
                names.add(name)
                yield _picture(picture, folder, name, split, classes)

    return AnnotatedSet(file.parent.resolve().name, FORMAT, classes, read_all)


def _plain(path: Path) -> AnnotatedSet:
    listed = next((path / name for name in ("classes.txt", "obj.names") if (path / name).is_file()), None)
    images = path / "images"
    if listed is None or not images.is_dir():
        raise InputError(f"{path}: a YOLO set is a data.yaml, or images/, labels/ and classes.txt")
    check_file(listed, MAX_YAML_BYTES)
    lines = listed.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    classes = dict(enumerate(one_line(line) for line in lines if line.strip()))
    files = _pictures_in(images)

    def read_all() -> Iterator[AnnotatedPicture]:
        for picture in files:
            yield _picture(picture, images, picture.relative_to(images).as_posix(), None, classes)

    return AnnotatedSet(path.resolve().name, FORMAT, classes, read_all)


def _yaml_file(path: Path) -> Path | None:
    if not path.is_dir():
        return path
    return next((path / name for name in NAMES if (path / name).is_file()), None)


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    check_file(file, MAX_YAML_BYTES)
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise unusable(file, f"not YAML ({reason_of(error)})") from error
    if not isinstance(document, dict):
        raise unusable(file, "expected `names`, `train` and `val`")
    return document


def _classes(document: Mapping[str, Any], file: Path) -> dict[int, str]:
    names = document.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise unusable(file, "`names` lists the classes, or gives each number one")
    classes = {}
    for key, name in names.items():
        number = int(key) if isinstance(key, str) and key.isdecimal() else key
        if type(number) is not int or number < 0 or not isinstance(name, str | int | float):
            raise unusable(
                file, f"`names` has {str(key)[:40]!r}: {str(name)[:40]!r}; a number and a name belong there"
            )
        classes[number] = one_line(str(name))
    return dict(sorted(classes.items()))


Part = tuple[str | None, Path, list[Path]]


def _parts(document: Mapping[str, Any], root: Path, file: Path) -> list[Part]:
    base = _inside(root, document.get("path"), file) if document.get("path") else None
    parts: list[Part] = []
    for split in _SPLITS:
        given = document.get(split)
        for written in given if isinstance(given, list) else [given] if given else []:
            place = _inside(base or root, written, file) or (_inside(root, written, file) if base else None)
            if place is None:
                raise unusable(
                    file,
                    f"`{split}: {one_line(str(written))[:80]}` is no folder or list below {root}; correct it",
                )
            parts.append((split, *_files(place, root)))
    if not parts:
        raise unusable(file, "names no pictures: `train`, `val` or `test` is a folder")
    return parts


def _inside(root: Path, written: object, file: Path) -> Path | None:
    """The folder or list below the root that a path means: its longest end that exists."""
    if not isinstance(written, str) or "\0" in written:
        raise unusable(file, f"a path is a text, got {str(written)[:60]!r}")
    parts = [p for p in PurePosixPath(written.replace("\\", "/")).parts if p not in ("/", "..", ".")]
    parts = [part for part in parts if ":" not in part]
    resolved = root.resolve()
    for start in range(len(parts) + 1):
        place = root.joinpath(*parts[start:])
        # The root itself is what only dots or another computer's folders mean.
        if (
            place.exists()
            and place.resolve().is_relative_to(resolved)
            and (place != root or start in (0, len(parts)))
        ):
            return place
    return None


def _files(place: Path, root: Path) -> tuple[Path, list[Path]]:
    if place.is_dir():
        return place, _pictures_in(place)
    check_file(place, MAX_LABEL_BYTES)
    lines = place.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    found = [find(line.strip(), (root,), (1, 1)).path for line in lines if line.strip()]
    return root, [path for path in found if path is not None]


def _pictures_in(folder: Path) -> list[Path]:
    try:
        return [target.path for target in find_targets([folder])]
    except UsageError:  # an empty split is none
        return []


def _picture(
    path: Path, folder: Path, name: str, split: str | None, classes: Mapping[int, str]
) -> AnnotatedPicture:
    found = find(path.relative_to(folder).as_posix(), (folder,))
    size, problems = found.size, list(found.problems)
    annotations: list[Annotation] = []
    if size is not None:
        try:
            lines = _lines(_labels_of(path))
        except InputError as error:
            lines = []
            problems.append(Problem("damaged", name, one_line(str(error))))
        annotations, more = read_each(lines, lambda line: _annotation(line, size, classes), name)
        problems += more
    return AnnotatedPicture(
        name, size or (0, 0), tuple(annotations), path, split=split, problems=tuple(problems)
    )


def _labels_of(picture: Path) -> Path:
    """`labels` instead of the last `images` in the path; else beside the picture."""
    parts = list(picture.parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")


def _lines(path: Path) -> list[str]:
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return []
    check_file(path, MAX_LABEL_BYTES)
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.splitlines() if line.strip()]


def _annotation(line: str, size: tuple[int, int], classes: Mapping[int, str]) -> Annotation:
    first, *rest = line.split()
    try:
        label, values = int(float(first)), [float(value) for value in rest]
    except (ValueError, OverflowError) as error:
        raise Fault("damaged", f"a line has words that are no numbers: {one_line(line)[:60]!r}") from error
    known_class(label if label in classes else None, first)
    if len(values) < 4:
        raise Fault("damaged", f"a line has a class and at least four numbers, got {one_line(line)[:60]!r}")
    # One number more than a box or than pairs: the score.
    scored = len(values) == 5 or (len(values) > 5 and len(values) % 2 == 1)
    score = read_score(values.pop()) if scored else None
    height, width = size
    if len(values) == 4:
        x, y, w, h = values
        corners = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
        return Annotation(label, read_box(corners, size), score=score)
    if len(values) < 6:
        raise Fault("empty-mask", f"an outline of {len(values) // 2} points has no area")
    points: Points = np.array(values, dtype=np.float64).reshape(-1, 2) * (width, height)
    return Annotation(label, Polygons((check_points(points, size),)), score=score)


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a YOLO set for segmentation.

    Raises:
        UsageError: the folder cannot be written.
    """
    ids = sorted(annotated.classes)
    kept = bool(ids) and ids == list(range(len(ids)))
    new = dict(zip(ids, ids, strict=True)) if kept else renumbered(annotated, 0, folder.written)
    splits: dict[str, None] = {}
    tags: list[tuple[str, Mapping[str, str]]] = []

    def one(picture: AnnotatedPicture) -> int:
        split = picture.split or "train"
        if split not in _SPLITS:
            folder.written.lose("splits of other names than train, val and test (now train)")
            split = "train"
        lines = [_line(annotation, picture.size, new) for annotation in picture.annotations]
        name = folder.place(picture, f"images/{split}")
        text = "".join(line + "\n" for line in lines)
        write_text(folder.path / "labels" / split / PurePosixPath(name).with_suffix(".txt"), text)
        splits[split] = None
        if picture.tags:
            tags.append((name, picture.tags))
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(lines)

    written = write_pictures(annotated, folder, one)
    names = "".join(
        f"  {new[label]}: {json.dumps(annotated.classes[label], ensure_ascii=False)}\n" for label in ids
    )
    used = [split for split in _SPLITS if split in splits] or ["train"]
    paths = "".join(f"{split}: images/{split}\n" for split in used)
    write_text(folder.path / "data.yaml", f"path: .\n{paths}names:\n{names}")
    write_tags(folder.path, tags)
    return written


def _line(annotation: Annotation, size: tuple[int, int], new: Mapping[int, int]) -> str:
    height, width = size
    shape = annotation.shape
    if isinstance(shape, Box):
        values = [
            (shape.x0 + shape.x1) / 2 / width,
            (shape.y0 + shape.y1) / 2 / height,
            (shape.x1 - shape.x0) / width,
            (shape.y1 - shape.y0) / height,
        ]
    else:
        values = (as_single_outline(shape, size) / (width, height)).ravel().tolist()
    words = [f"{value:.12g}" for value in values]
    if annotation.score is not None:
        words.append(f"{annotation.score:.12g}")
    return " ".join([str(new[annotation.label]), *words])
