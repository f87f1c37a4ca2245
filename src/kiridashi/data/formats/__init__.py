"""Annotated sets of pictures: read, write and convert the formats of annotation tools.

    annotated = read_set("site/annotations.xml", pictures="site/images")
    annotated.classes                      # {1: "scratch", 2: "dent"}
    for picture in annotated:              # one by one, as often as wished
        picture.name, picture.path, picture.size, picture.split, picture.tags
        for one in picture.annotations:
            one.label, one.shape, one.mask(picture.size)
        picture.label_mask(1)              # all pixels of a class, a `kiridashi.core.mask.Mask`
    write_set(annotated, "out", "yolo")

`docs/data-formats.md` says what each format keeps. Whatever a file names is looked for in the folder of the
pictures only; an annotation that cannot be used is in `picture.problems`, and the others are read.
"""

from kiridashi.data.formats.model import (
    AnnotatedPicture,
    AnnotatedSet,
    Annotation,
    Box,
    Polygons,
    Problem,
    Shape,
)
from kiridashi.data.formats.opening import FORMATS, Format, detect, read_set, write_set
from kiridashi.data.formats.writing import Written

__all__ = [
    "FORMATS",
    "AnnotatedPicture",
    "AnnotatedSet",
    "Annotation",
    "Box",
    "Format",
    "Polygons",
    "Problem",
    "Shape",
    "Written",
    "detect",
    "read_set",
    "write_set",
]
