"""Sets made for the tests, and how two are compared."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.data.formats import AnnotatedPicture, AnnotatedSet, Annotation, Polygons

RASTER = ("voc", "label-map", "instance-map")
NESTED = ("coco", "cvat", "labelme", "label-studio", "yolo")


def write_png(path: Path, size: tuple[int, int] = (20, 24), seed: int = 0) -> Path:
    """A noisy picture of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def in_memory(pictures: Sequence[AnnotatedPicture], classes: dict[int, str]) -> AnnotatedSet:
    """A set of these pictures."""

    def read() -> Iterator[AnnotatedPicture]:
        return iter(pictures)

    return AnnotatedSet("made", "memory", classes, read)


def small_set(folder: Path, first: int = 1) -> AnnotatedSet:
    """Two pictures: a bitmap with a hole and in two parts beside a triangle; and one with nothing in it."""
    size = (20, 24)
    ring = np.zeros(size, bool)
    ring[2:10, 2:10] = True
    ring[4:7, 4:8] = False
    ring[15:18, 18:22] = True
    triangle = Polygons((np.array([[12.5, 1.0], [22.25, 1.0], [12.5, 9.75]]),))
    annotations = (
        Annotation(first + 1, Mask.from_array(ring), attributes={"side": "left", "sure": True}),
        Annotation(first, triangle),
    )
    pictures = [
        AnnotatedPicture(
            "a.png",
            size,
            annotations,
            write_png(folder / "a.png", size),
            split="train",
            tags={"light": "dim"},
        ),
        AnnotatedPicture("b.png", (7, 9), (), write_png(folder / "b.png", (7, 9), 1), split="val"),
    ]
    return in_memory(pictures, {first: "dent", first + 1: "傷 & <b>"})


def sorted_pictures(annotated: AnnotatedSet) -> list[AnnotatedPicture]:
    """In the order of their names; reading has met no problem."""
    pictures = sorted(annotated, key=lambda one: one.name)
    assert [problem for one in pictures for problem in one.problems] == []
    assert annotated.problems == ()
    return pictures


def assert_same_masks(one: AnnotatedPicture, other: AnnotatedPicture, merged: bool = False) -> None:
    """Equal objects in equal order; or, `merged`, equal classes."""
    assert one.size == other.size
    if merged:
        assert one.labels() == other.labels()
        for label in one.labels():
            assert one.label_mask(label) == other.label_mask(label)
        return
    ours = [(a.label, a.mask(one.size)) for a in one.annotations]
    theirs = [(a.label, a.mask(other.size)) for a in other.annotations]
    assert [label for label, _ in ours] == [label for label, _ in theirs]
    assert all(a == b for (_, a), (_, b) in zip(ours, theirs, strict=True))


def visible(picture: AnnotatedPicture) -> AnnotatedPicture:
    """The picture with the pixels of each object that no later one covers."""
    taken: NDArray[np.bool_] = np.zeros(picture.size, bool)
    kept = []
    for one in reversed(picture.annotations):
        full = one.mask(picture.size).to_array() & ~taken
        taken |= full
        if full.any():
            kept.append(replace(one, shape=Mask.from_array(full)))
    return replace(picture, annotations=tuple(reversed(kept)))


def png_text(bitmap: NDArray[Any]) -> str:
    """A PNG in base64."""
    import base64

    stream = io.BytesIO()
    Image.fromarray(bitmap.astype(np.uint8) * np.uint8(255)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()
