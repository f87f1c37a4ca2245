"""Pictures composed of the cut-outs of `tuxpaint_stamps`, with the exact mask of each.

A class is one cut-out, not one name: of a flower that is there in six colours, each is a class. The classes
are drawn in families (the categories of `meta.json`), so that each has look-alikes among the others.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations.document import read_document, records

Rng = np.random.Generator
Rgba = NDArray[np.uint8]

SIZE = (384, 512)
# Cells of a scene, down and across; each holds one thing at most.
CELLS = (2, 3)
FAMILY = 5
# Half opaque counts as inside.
INSIDE = 128
GROUNDS = ("brick", "grass", "gravel")


@dataclass(frozen=True, eq=False)
class StampScene:
    """A composed picture.

    Attributes:
        picture: the picture.
        things: name of the cut-out and its mask, none empty.
    """

    picture: Picture
    things: tuple[tuple[str, Mask], ...]


@dataclass(frozen=True)
class Cast:
    """Which cut-outs play which part.

    Attributes:
        classes: in the order of their addition.
        shown: no classes; they lie in the pictures of background.
        unknown: no classes; they lie in the tested scenes and are never shown before.
    """

    classes: tuple[str, ...]
    shown: tuple[str, ...]
    unknown: tuple[str, ...]


class StampBook:
    """The cut-outs of a folder.

    Args:
        folder: with `rgba/*.png` and `meta.json`.

    Raises:
        InputError: there is no such set.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "meta.json"
        self._folder = folder / "rgba"
        self.families: dict[str, list[str]] = defaultdict(list)
        for item in records(read_document(path), "items", path):
            self.families[str(item.get("category"))].append(str(item.get("id")))
        self.stamp = lru_cache(maxsize=128)(self._stamp)

    def cast(self, count: int, seed: int) -> Cast:
        """Classes in groups of five of one family, in random order; what is left in two halves.

        Raises:
            UsageError: there are not so many families of five.
        """
        rng = np.random.default_rng(seed)
        groups = [
            members[start : start + FAMILY]
            for members in (rng.permutation(self.families[name]).tolist() for name in sorted(self.families))
            for start in range(0, len(members) - FAMILY + 1, FAMILY)
        ]
        if not 1 <= count <= FAMILY * len(groups):
            raise UsageError(
                f"there are {FAMILY * len(groups)} classes with look-alikes, {count} were asked for"
            )
        drawn = [name for place in rng.permutation(len(groups)) for name in groups[place]][:count]
        left = sorted(set().union(*self.families.values()) - set(drawn))
        rest = rng.permutation(left).tolist()
        return Cast(tuple(rng.permutation(drawn).tolist()), tuple(rest[::2]), tuple(rest[1::2]))

    def scene(self, names: Sequence[str], rng: Rng, title: str = "scene") -> StampScene:
        """Some cut-outs on a ground, each in a cell of its own.

        Raises:
            UsageError: more than there are cells.
        """
        rows, columns = CELLS
        if len(names) > rows * columns:
            raise UsageError(f"a scene has room for {rows * columns} cut-outs, got {len(names)}")
        pixels = _ground(rng)
        cell = SIZE[0] / rows, SIZE[1] / columns
        things = []
        for name, place in zip(names, rng.permutation(rows * columns)[: len(names)].tolist(), strict=True):
            row, column = divmod(place, columns)
            centre = ((column + 0.5) * cell[1], (row + 0.5) * cell[0])
            alpha = _lay(pixels, self.stamp(name), centre, min(cell), rng)
            things.append((name, Mask.from_array(alpha >= INSIDE)))
        return StampScene(Picture(pixels, title), tuple(one for one in things if not one[1].is_empty))

    def _stamp(self, name: str) -> Rgba:
        """(h, w, 4) uint8, trimmed to what can be seen."""
        path = self._folder / f"{name}.png"
        try:
            with Image.open(path) as image:
                rgba: Rgba = np.array(image.convert("RGBA"))
        except OSError as error:
            raise InputError(f"{path}: the cut-out cannot be read") from error
        x, y, width, height = cv2.boundingRect((rgba[..., 3] >= INSIDE).astype(np.uint8))
        return rgba[y : y + height, x : x + width]


def _ground(rng: Rng) -> Rgba:
    """(H, W, 3) of a surface or of soft blotches of colour, in some light."""
    height, width = SIZE
    light = rng.uniform(0.7, 1.1) * rng.uniform(0.9, 1.1, 3)
    place = int(rng.integers(len(GROUNDS) + 1))
    if place == len(GROUNDS):
        coarse = rng.uniform(60, 200, (4, 5, 3)).astype(np.float32)
        ground = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        ground = ground + rng.normal(0, 6, ground.shape)
    else:
        sheet = _sheet(GROUNDS[place])
        y, x = (
            int(rng.integers(length - wanted + 1)) for length, wanted in zip(sheet.shape, SIZE, strict=True)
        )
        ground = np.repeat(sheet[y : y + height, x : x + width, None], 3, axis=2).astype(np.float32)
    lit: Rgba = np.clip(ground * light, 0, 255).astype(np.uint8)
    return lit


@lru_cache
def _sheet(name: str) -> NDArray[np.uint8]:
    """A grey surface of scikit-image, 512 x 512."""
    from skimage import data

    sheet: NDArray[np.uint8] = np.asarray(getattr(data, name)(), dtype=np.uint8)
    return sheet


def _lay(pixels: Rgba, stamp: Rgba, centre: tuple[float, float], cell: float, rng: Rng) -> NDArray[np.uint8]:
    """Lay a cut-out over the picture in place, turned, scaled and lit; returns its (H, W) alpha."""
    height, width = stamp.shape[:2]
    # The diagonal stays within the cell, whatever the turn: nothing hides anything.
    scale = rng.uniform(0.65, 1) * cell / float(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-30, 30)), float(scale))
    matrix[:, 2] += np.array(centre) - (width / 2, height / 2)
    # Colours hidden by alpha must not bleed.
    layer = stamp.astype(np.float32)
    layer[..., :3] *= layer[..., 3:] / 255
    if rng.random() < 0.5:
        layer = np.ascontiguousarray(layer[:, ::-1])
    blurred = cv2.GaussianBlur(layer, (0, 0), max(0.4 / scale, 0.1)) if scale < 0.8 else layer
    warped = cv2.warpAffine(blurred, matrix, SIZE[::-1], flags=cv2.INTER_LINEAR)
    alpha = warped[..., 3:] / 255
    light = rng.uniform(0.8, 1.15) * rng.uniform(0.95, 1.05, 3)
    pixels[:] = np.clip(pixels * (1 - alpha) + warped[..., :3] * light, 0, 255).astype(np.uint8)
    opaque: NDArray[np.uint8] = warped[..., 3].astype(np.uint8)
    return opaque
