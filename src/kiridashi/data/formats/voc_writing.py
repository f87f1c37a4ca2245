"""Write a Pascal VOC set, and draw objects as values of pixels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiridashi.data.atomic import atomic_path, write_text
from kiridashi.data.formats.faults import Fault
from kiridashi.data.formats.model import AnnotatedPicture, AnnotatedSet, Annotation, Box
from kiridashi.data.formats.shapes import box_of
from kiridashi.data.formats.tags import write_tags
from kiridashi.data.formats.voc import CLASSES, FLAGS, LABELMAP, OBJECTS, PICTURES, SETS, VOID, XMLS
from kiridashi.data.formats.writing import OutFolder, Written, lose_common, renumbered, write_pictures
from kiridashi.data.formats.xml import XmlWriter
from kiridashi.data.targets import safe_stem

_KEPT = frozenset({"attributes", "box", "ignore", "tags"})


def write(annotated: AnnotatedSet, folder: OutFolder) -> Written:
    """Write a VOC set.

    Raises:
        InputError: more than 254 classes.
        UsageError: the folder cannot be written.
    """
    ids = sorted(annotated.classes)
    new: Mapping[int, int] = dict(zip(ids, ids, strict=True))
    if ids != list(range(1, len(ids) + 1)) or len(ids) >= VOID:
        new = renumbered(annotated, 1, folder.written, most=VOID - 1)
    names = {new[label]: annotated.classes[label] for label in ids}
    lists: dict[str, list[str]] = {}
    tags: list[tuple[str, Mapping[str, str]]] = []

    def one(picture: AnnotatedPicture) -> int:
        # Object numbers are places in the XML file: those with a mask come first.
        ordered = sorted(picture.annotations, key=lambda one: isinstance(one.shape, Box))
        drawn = [one for one in ordered if not isinstance(one.shape, Box)]
        if len(drawn) >= VOID:
            raise Fault("too-many", f"{len(drawn)} objects in a picture; VOC numbers at most {VOID - 1}")
        classes, objects = draw(drawn, picture, new, folder.written)
        name = folder.place(picture, PICTURES, flat=True)
        stem = Path(name).stem
        if drawn or picture.ignore is not None:
            write_palette(folder.path / CLASSES / f"{stem}.png", classes)
            write_palette(folder.path / OBJECTS / f"{stem}.png", objects)
        _write_xml(folder.path / XMLS / f"{stem}.xml", picture, name, ordered, names, new)
        lists.setdefault(picture.split or "default", []).append(stem)
        if picture.tags:
            tags.append((name, picture.tags))
        lose_common(picture, folder.written, keeps=_KEPT)
        return len(ordered)

    written = write_pictures(annotated, folder, one)
    for split, stems in lists.items():
        text = "".join(f"{stem}\n" for stem in stems)
        write_text(folder.path / SETS / "Segmentation" / f"{safe_stem(split)}.txt", text)
    palette = voc_palette()
    lines = [f"{name}:{','.join(map(str, palette[value]))}::" for value, name in names.items()]
    head = "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"
    write_text(folder.path / LABELMAP, head + "".join(line + "\n" for line in lines))
    write_tags(folder.path, tags)
    return written


def draw(
    annotations: Sequence[Annotation], picture: AnnotatedPicture, new: Mapping[int, int], written: Written
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class and object values of each pixel, the later annotation over the earlier one.

    Object values are those of VOC for fewer than 255 objects, and mean nothing for more.

    Args:
        annotations: each with a mask.
        picture: whose they are.
        new: value of each class.
        written: counts pixels of which another object is on top.
    """
    classes: NDArray[np.uint8] = np.zeros(picture.size, dtype=np.uint8)
    objects: NDArray[np.int32] = np.zeros(picture.size, dtype=np.int32)
    if picture.ignore is not None:
        classes[picture.ignore.slices][picture.ignore.bitmap] = VOID
        objects[picture.ignore.slices][picture.ignore.bitmap] = -1
    for number, one in enumerate(annotations, start=1):
        mask = one.mask(picture.size)
        part = objects[mask.slices]
        covered = (part > 0) & mask.bitmap
        written.lose("pixels of objects below another one", int(np.count_nonzero(covered)))
        part[mask.bitmap] = number
        classes[mask.slices][mask.bitmap] = new[one.label]
    return classes, np.where(objects < 0, VOID, objects).astype(np.uint8)


def write_palette(path: Path, values: NDArray[np.uint8]) -> None:
    """Write values atomically as a PNG with VOC's colours."""
    from PIL import Image

    image = Image.frombytes("P", (values.shape[1], values.shape[0]), np.ascontiguousarray(values).tobytes())
    image.putpalette(voc_palette().ravel().tolist())
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def voc_palette() -> NDArray[np.uint8]:
    """(256, 3) colours of the challenge: a value's bits, three by three, become high bits of a colour."""
    values = np.arange(256)
    table = np.zeros((256, 3), dtype=np.uint8)
    for place in range(8):
        for channel in range(3):
            bit = (values >> (3 * place + channel)) & 1
            table[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return table


def _write_xml(
    path: Path,
    picture: AnnotatedPicture,
    name: str,
    annotations: Sequence[Annotation],
    names: Mapping[int, str],
    new: Mapping[int, int],
) -> None:
    height, width = picture.size
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        xml = XmlWriter(stream)
        xml.begin("annotation")
        xml.text("folder", PICTURES)
        xml.text("filename", name)
        xml.begin("size")
        for key, value in (("width", width), ("height", height), ("depth", 3)):
            xml.text(key, str(value))
        xml.end("size")
        xml.text("segmented", str(int(any(not isinstance(one.shape, Box) for one in annotations))))
        for one in annotations:
            _write_object(xml, one, names[new[one.label]])
        xml.end("annotation")
        xml.close()


def _write_object(xml: XmlWriter, one: Annotation, name: str) -> None:
    attributes = dict(one.attributes)
    xml.begin("object")
    xml.text("name", name)
    xml.text("pose", str(attributes.pop("pose", "Unspecified")))
    for flag in FLAGS:
        xml.text(flag, str(int(attributes.pop(flag, False) is True)))
    box = one.box or box_of(one.shape)
    if box is not None:
        xml.begin("bndbox")
        for key, value in (("xmin", box.x0 + 1), ("ymin", box.y0 + 1), ("xmax", box.x1), ("ymax", box.y1)):
            xml.text(key, f"{value:.10g}")
        xml.end("bndbox")
    if attributes:
        xml.begin("attributes")
        for key, given in attributes.items():
            xml.begin("attribute")
            xml.text("name", key)
            xml.text("value", str(given).lower() if type(given) is bool else str(given))
            xml.end("attribute")
        xml.end("attributes")
    xml.end("object")
