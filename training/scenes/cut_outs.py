"""Single objects with an alpha channel, by source."""

from collections.abc import Mapping
from typing import Protocol

import cv2
import numpy as np

from training.scenes.scene import IGNORE, Pixels, Rng
from training.scenes.store import Store, premultiplied

# How often each source is drawn; what is missing leaves its share to the others.
SHARES = {"voc_train": 0.35, "tuxpaint_stamps": 0.25, "fluent_emoji": 0.15, "openclipart": 0.25}
LEAST_WHOLE, LARGEST_WHOLE = 0.015, 0.7
BORDER = 2


class CutOuts(Protocol):
    """A numbered collection of cut-outs."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pixels:
        """(h, w, 4) uint8, RGBA, colours multiplied by alpha."""
        ...


class Stamps:
    """Pictures that come with an alpha channel."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, index: int) -> Pixels:
        return self._store.cut_out(self._store.names[index])


class WholeObjects:
    """Objects of photographs that touch neither the border nor an object of another class.

    Args:
        images: the photographs.
        masks: their class masks under the same names.
        names: those to use.
    """

    def __init__(self, images: Store, masks: Store, names: tuple[str, ...]) -> None:
        self._images, self._masks = images, masks
        self._found = [(name, box, seed) for name in names for box, seed in _whole(masks.labels(name))]

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, index: int) -> Pixels:
        name, (x, y, width, height), (seed_x, seed_y) = self._found[index]
        here = slice(y, y + height), slice(x, x + width)
        labels = self._masks.labels(name)[here]
        _, parts = cv2.connectedComponents((labels == labels[seed_y, seed_x]).astype(np.uint8))
        alpha = np.where(parts == parts[seed_y, seed_x], np.uint8(255), np.uint8(0))
        # A hand-drawn outline lies a little outside; the border pixel is half background.
        alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (3, 3), 0)
        return premultiplied(np.dstack([self._images.pixels(name)[here], alpha]))


def draw_cut_out(sources: Mapping[str, CutOuts], rng: Rng) -> Pixels:
    """A cut-out of a source drawn by `SHARES`; `sources` must not be empty."""
    names = sorted(sources)
    shares = np.array([SHARES[name] for name in names])
    source = sources[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
    return source[int(rng.integers(len(source)))]


Box = tuple[int, int, int, int]


def _whole(labels: Pixels) -> list[tuple[Box, tuple[int, int]]]:
    """Boxes (x, y, width, height) of whole objects, each with one of its pixels (x, y) in the box."""
    height, width = labels.shape
    found = []
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    for value in (int(n) for n in present if n not in (0, IGNORE)):
        inside = (labels == value).astype(np.uint8)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(inside)
        for number in range(1, count):
            x, y, w, h, area = (int(n) for n in stats[number])
            at_border = min(x, y) < BORDER or x + w > width - BORDER or y + h > height - BORDER
            if at_border or not LEAST_WHOLE <= area / labels.size <= LARGEST_WHOLE:
                continue
            around = slice(max(y - 4, 0), y + h + 4), slice(max(x - 4, 0), x + w + 4)
            part = (parts[around] == number).astype(np.uint8)
            ring = cv2.dilate(part, np.ones((7, 7), np.uint8)) - part
            if np.isin(labels[around][ring > 0], (0, value, IGNORE)).all():
                row, column = np.argwhere(parts[y : y + h, x : x + w] == number)[0]
                found.append(((x, y, w, h), (int(column), int(row))))
    return found
