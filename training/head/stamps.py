"""Scenes composed of cut-outs whose names are known, as a set of instances."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kiridashi.classes.base_training import Sample
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import LabelledMask
from training.scenes.backgrounds import Backgrounds, Source
from training.scenes.composed import draw_composed
from training.scenes.cut_outs import Stamps
from training.scenes.photometric import photographed
from training.scenes.scene import Pixels, Rng, Scene
from training.scenes.store import Store

SIDE, SHORTEST = 384, 240
# Smaller ones are too small to be told apart by anybody.
LEAST_PIXELS = 150
# Every so many cut-outs is one; the sources are of different sizes.
EVERY = {"tuxpaint_stamps": 1, "fluent_emoji": 4, "openclipart": 10}
# Masks at inference are drawn by a decoder: a rim of so many pixels may be missing or too much.
MOST_RIM = 3


class StampScenes:
    """Scenes of one to six cut-outs; equal arguments give equal scenes.

    Args:
        data: folder with `tuxpaint_stamps`, `voc_train` and `grocery_store`; pictures of the last two are
            backgrounds.
        sources: folder written by `training.scenes.fetch`; None: without its cut-outs.
        count: scenes.
        aside: whether those cut-outs that are held aside are drawn, every fourth, or the others.
        seed: of everything that is drawn.

    Attributes:
        digest: of the arguments and the names of the cut-outs.
    """

    def __init__(self, data: Path, sources: Path | None, count: int, *, aside: bool, seed: int = 0) -> None:
        folders = {"tuxpaint_stamps": data / "tuxpaint_stamps" / "rgba"}
        if sources is not None:
            folders |= {name: sources / name for name in ("fluent_emoji", "openclipart")}
        self._stamps: list[tuple[str, Stamps, int]] = []
        for source, folder in folders.items():
            files = sorted(path for path in folder.glob("*.*") if path.suffix in (".png", ".webp"))
            chosen = files[:: EVERY[source]]
            store = Store(path for place, path in enumerate(chosen) if (place % 4 == 3) == aside)
            stamps = Stamps(store)
            self._stamps += [(f"{source}/{name}", stamps, place) for place, name in enumerate(store.names)]
        self._backgrounds = Backgrounds(
            {name: _unmarked(data / name / "images") for name in ("voc_train", "grocery_store")}
        )
        self._count, self._aside, self._seed = count, aside, seed
        self.digest = f"{count} {aside} {seed} {[name for name, _, _ in self._stamps]}"

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        """The scene of a number."""
        rng = np.random.default_rng([self._seed, self._aside, index])
        drawer = _Recording(self._stamps)
        size = (int(rng.integers(SHORTEST, SIDE + 1)), SIDE)
        # Any name of a source will do: there is only this one to draw from.
        scene = draw_composed(size, {"fluent_emoji": drawer}, self._backgrounds, rng)
        pixels = photographed(scene.pixels, rng)
        objects = []
        for number, name in enumerate(drawer.names, 1):
            inside = (scene.objects == number).astype(np.uint8)
            if inside.sum() >= LEAST_PIXELS:
                marked = inside if self._aside else _ragged(inside, rng)
                objects.append(LabelledMask(name, Mask.from_array(marked)))
        picture = Picture(np.ascontiguousarray(pixels), f"scene {index}")
        return Sample(picture, tuple(objects), Mask.empty(picture.size))


class _Recording:
    """Cut-outs that remember which were drawn, in order."""

    def __init__(self, stamps: list[tuple[str, Stamps, int]]) -> None:
        self._stamps = stamps
        self.names: list[str] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def __getitem__(self, index: int) -> Pixels:
        name, stamps, place = self._stamps[index]
        self.names.append(name)
        return stamps[place]


def _ragged(inside: Pixels, rng: Rng) -> Pixels:
    rim = int(rng.integers(-MOST_RIM, MOST_RIM + 1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(rim) + 1, 2 * abs(rim) + 1))
    changed: Any = cv2.dilate(inside, kernel) if rim > 0 else cv2.erode(inside, kernel)
    return changed if changed.sum() >= LEAST_PIXELS // 2 else inside


def _unmarked(folder: Path) -> Source:
    store = Store(folder.glob("*.jpg"))

    def draw(rng: Rng) -> Scene:
        pixels = store.pixels(store.names[int(rng.integers(len(store)))])
        # What is in the photograph is background here.
        return Scene(pixels, np.zeros(pixels.shape[:2], np.uint8))

    return draw
