"""Figures of an annotated set."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.errors import InputError
from kiridashi.data.formats.model import AnnotatedSet, Box
from kiridashi.data.sets.checking import EDGE_PIXELS

# Of COCO, in pixels.
SMALL, LARGE = 32**2, 96**2


@dataclass
class ClassFigures:
    """Figures of one class.

    Attributes:
        pictures: with it.
        objects: of it.
        boxes: objects of which only a box is known.
        shares: of its objects in their picture's pixels.
        splits: pictures with it by split.
        at_edge: objects that touch the edge of their picture.
    """

    pictures: int = 0
    objects: int = 0
    boxes: int = 0
    shares: list[float] = field(default_factory=list)
    splits: Counter[str] = field(default_factory=Counter)
    at_edge: int = 0


@dataclass
class SetFigures:
    """Figures of a set.

    Attributes:
        pictures: in all.
        empty: pictures without an object.
        missing: pictures without a file.
        objects: in all.
        splits: pictures by split.
        tags: pictures by tag and value.
        sizes: pictures by (height, width).
        by_size: objects by COCO's small, medium and large.
        classes: by id.
        per_picture: objects of each picture.
        overlaps: objects that share pixels with one before them.
        overlapped: pictures with such objects.
        covered: mean share of the pictures' pixels inside any object.
        problems: that reading the set has met.
    """

    pictures: int = 0
    empty: int = 0
    missing: int = 0
    objects: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    by_size: Counter[str] = field(default_factory=Counter)
    classes: dict[int, ClassFigures] = field(default_factory=dict)
    per_picture: list[int] = field(default_factory=list)
    overlaps: int = 0
    overlapped: int = 0
    covered: float = 0.0
    problems: int = 0

    def to_json(self, names: dict[int, str]) -> dict[str, Any]:
        """For `--json`; `names` are those of the classes."""
        return {
            "pictures": self.pictures,
            "empty": self.empty,
            "missing_files": self.missing,
            "objects": self.objects,
            "objects_a_picture": _spread([float(one) for one in self.per_picture]),
            "splits": dict(self.splits),
            "tags": {tag: dict(values) for tag, values in self.tags.items()},
            "sizes": [
                {"width": width, "height": height, "pictures": count}
                for (height, width), count in self.sizes.most_common()
            ],
            "by_size": {name: self.by_size[name] for name in ("small", "medium", "large")},
            "overlaps": {"objects": self.overlaps, "pictures": self.overlapped},
            "covered": round(self.covered, 6),
            "problems": self.problems,
            "classes": [
                {
                    "id": label,
                    "name": names.get(label, str(label)),
                    "pictures": one.pictures,
                    "objects": one.objects,
                    "boxes_only": one.boxes,
                    "at_edge": one.at_edge,
                    "share": _spread(one.shares),
                    "splits": dict(one.splits),
                }
                for label, one in sorted(self.classes.items())
            ],
        }


def figures(annotated: AnnotatedSet) -> SetFigures:
    """Count what a set holds; objects that cannot be drawn count as problems."""
    found = SetFigures(classes={label: ClassFigures() for label in annotated.classes})
    found.problems = len(annotated.problems)
    for picture in annotated:
        found.pictures += 1
        found.problems += len(picture.problems)
        found.missing += picture.path is None
        found.empty += not picture.annotations
        found.per_picture.append(len(picture.annotations))
        if picture.split is not None:
            found.splits[picture.split] += 1
        for tag, value in picture.tags.items():
            found.tags.setdefault(tag, Counter())[value] += 1
        if picture.size == (0, 0):
            continue
        found.sizes[picture.size] += 1
        for label in picture.labels():
            one = found.classes.setdefault(label, ClassFigures())
            one.pictures += 1
            one.splits[picture.split or "-"] += 1
        marked: NDArray[np.bool_] = np.zeros(picture.size, dtype=bool)
        shared = 0
        for annotation in picture.annotations:
            try:
                mask = annotation.mask(picture.size)
            except InputError:
                found.problems += 1
                continue
            one = found.classes.setdefault(annotation.label, ClassFigures())
            found.objects += 1
            one.objects += 1
            one.boxes += isinstance(annotation.shape, Box)
            one.shares.append(mask.coverage)
            one.at_edge += _at_edge(mask.box, picture.size)
            found.by_size["small" if mask.area < SMALL else "large" if mask.area >= LARGE else "medium"] += 1
            part = marked[mask.slices]
            shared += bool((part & mask.bitmap).any())
            part |= mask.bitmap
        found.covered += float(np.count_nonzero(marked)) / marked.size
        found.overlaps += shared
        found.overlapped += shared > 0
    found.covered /= max(sum(found.sizes.values()), 1)
    return found


def _at_edge(box: tuple[int, int, int, int], size: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = box
    reach = int(EDGE_PIXELS) - 1
    return x1 > x0 and (min(x0, y0) <= reach or x1 >= size[1] - reach or y1 >= size[0] - reach)


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {
        "min": round(min(values), 6),
        "median": round(median(values), 6),
        "max": round(max(values), 6),
    }
