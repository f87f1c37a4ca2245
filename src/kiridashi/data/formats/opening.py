"""One door for all formats: which one it is, read it, write it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import unusable
from kiridashi.data.formats import coco, cvat, label_map, label_studio, labelme, voc, voc_writing, yolo
from kiridashi.data.formats import tags as tag_files
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Box
from kiridashi.data.formats.shapes import as_polygons
from kiridashi.data.formats.writing import OutFolder, Pictures, Shapes, Written
from kiridashi.data.formats.xml import root_tag

_HEAD = 2**16


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: that users type.
        title: that they know it by.
        read: of a path and the folder of the pictures.
        write: of a set into a folder.
    """

    name: str
    title: str
    read: Callable[[Path, Path | None], AnnotatedSet]
    write: Callable[[AnnotatedSet, OutFolder], Written]


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format(coco.FORMAT, "COCO", coco.read, coco.write),
        Format(yolo.FORMAT, "YOLO-seg", yolo.read, yolo.write),
        Format(labelme.FORMAT, "LabelMe", labelme.read, labelme.write),
        Format(label_studio.FORMAT, "Label Studio", label_studio.read, label_studio.write),
        Format(cvat.FORMAT, "CVAT for images 1.1", cvat.read, cvat.write),
        Format(voc.FORMAT, "Pascal VOC", voc.read, voc_writing.write),
        Format(label_map.CLASS_MAP, "label maps of classes", label_map.read, label_map.write_class_map),
        Format(
            label_map.INSTANCE_MAP, "label maps of instances", label_map.read, label_map.write_instance_map
        ),
    )
}


def read_set(
    path: str | Path,
    format: str | None = None,
    pictures: str | Path | None = None,
    tags: str | Path | None = None,
) -> AnnotatedSet:
    """Open an annotated set; its pictures are read one by one when asked for.

    Args:
        path: the file or folder that the annotation tool wrote.
        format: a key of `FORMATS`; None: found out from the content.
        pictures: folder of the pictures; None: where the format keeps them.
        tags: CSV of tags, a row a picture; None: `tags.csv` in the folder, if there is one.

    Raises:
        UsageError: no such format.
        InputError: the set cannot be used; single annotations that cannot are problems of their picture.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    name = format or detect(path)
    root = None if pictures is None else Path(pictures)
    if root is not None and not root.is_dir():
        raise InputError(f"{root}: expected the folder of the pictures; there is no such folder")
    annotated = find_format(name).read(path, root)
    beside = (path if path.is_dir() else path.parent) / tag_files.FILE
    table = Path(tags) if tags is not None else beside if beside.is_file() else None
    return annotated if table is None else tag_files.with_tags(annotated, tag_files.read_tags(table))


def write_set(
    annotated: AnnotatedSet,
    out: str | Path,
    format: str,
    *,
    pictures: Pictures = "copy",
    shapes: Shapes = "keep",
) -> Written:
    """Write a set into a new folder.

    Args:
        annotated: what to write.
        out: a folder that is not there yet, or empty.
        format: a key of `FORMATS`.
        pictures: copy the picture files, link them, or leave them where they are.
        shapes: keep outlines and bitmaps as they are, or make all of them outlines or bitmaps.

    Raises:
        UsageError: no such format, the folder is not empty, or it cannot be written.
        InputError: the format cannot number so many classes.
    """
    chosen = find_format(format)
    return chosen.write(_shaped(annotated, shapes), OutFolder(Path(out), pictures))


def find_format(name: str) -> Format:
    """A format by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in FORMATS:
        raise UsageError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def detect(path: Path) -> str:
    """The format of a file or folder.

    Raises:
        InputError: it cannot be told.
    """
    found = _of_folder(path) if path.is_dir() else _of_file(path)
    if found is None:
        raise InputError(
            f"{path}: cannot tell which format this is; name it with --from ({', '.join(FORMATS)})"
        )
    return found


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return yolo.FORMAT
    if suffix == ".xml":
        tag = root_tag(path)
        if tag == "annotation":
            raise unusable(path, "one picture of a VOC set; name the folder of the set")
        return cvat.FORMAT if tag == "annotations" else None
    if path.name == label_map.META:
        return label_map.CLASS_MAP
    if suffix != ".json":
        return None
    with path.open("rb") as stream:
        head = stream.read(_HEAD).decode("utf-8-sig", "replace").lstrip()
    if head.startswith("["):
        return label_studio.FORMAT
    keys = set(re.findall(r'"(shapes|imagePath|images|annotations|categories|info)"\s*:', head))
    if keys & {"shapes", "imagePath"} and not keys & {"images", "categories"}:
        return labelme.FORMAT
    return coco.FORMAT if keys else None


def _of_folder(path: Path) -> str | None:
    if (path / label_map.META).is_file():
        return label_map.CLASS_MAP
    if any((path / name).is_file() for name in (*yolo.NAMES, "classes.txt", "obj.names")):
        return yolo.FORMAT
    if any((path / name).is_dir() for name in (voc.CLASSES, voc.OBJECTS, voc.XMLS)):
        return voc.FORMAT
    if (path / cvat.FILE).is_file():
        return cvat.FORMAT
    if (path / label_studio.TASKS).is_file():
        return label_studio.FORMAT
    first = next(iter(sorted(path.glob("*/_annotations.coco.json"))), None) or next(
        (
            file
            for pattern in ("annotations/*.json", "*.json", "**/*.json")
            for file in sorted(path.glob(pattern))
        ),
        None,
    )
    told = _of_file(first) if first is not None else None
    plain = (path / "images").is_dir() and (path / "masks").is_dir()
    return told or (label_map.CLASS_MAP if plain else None)


def _shaped(annotated: AnnotatedSet, shapes: Shapes) -> AnnotatedSet:
    if shapes == "keep":
        return annotated

    def change(picture: AnnotatedPicture) -> AnnotatedPicture:
        if picture.size == (0, 0):
            return picture
        made = []
        for one in picture.annotations:
            try:
                if isinstance(one.shape, Box):
                    made.append(one)
                elif shapes == "bitmap":
                    made.append(replace(one, shape=one.mask(picture.size)))
                else:
                    made.append(replace(one, shape=as_polygons(one.shape, picture.size)))
            except InputError:
                made.append(one)  # the writer says why it cannot be used
        return replace(picture, annotations=tuple(made))

    return annotated.mapped(change)
