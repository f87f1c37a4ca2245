"""Small square pictures to learn from: whole scenes, objects with their surroundings, random parts."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.scenes import IGNORE, Scene, SceneMaker
from training.scenes.photometric import photographed
from training.scenes.real import part_of
from training.scenes.scene import Pixels, Rng
from training.scenes.store import Store

# A kind beside those of `training.scenes`: pictures of `grocery_store`, of which no mask is known.
GOODS = "goods"
# Longer side of a scene in pixels: small, for a crop has 64 in the end.
SCENE_SIDE = 192
# How often a crop is the whole scene (squeezed, as pictures are in use), or one of its objects.
WHOLE_SHARE, OBJECT_SHARE = 0.4, 0.3
# Sides of a random part in parts of the shorter side, and room around an object in parts of its size.
LEAST_PART = 0.5
LEAST_ROOM, MOST_ROOM = 0.05, 0.6
# Smaller objects get more of their surroundings: enlarged they would be blurs.
LEAST_OBJECT = 44


class Crops(Dataset[Tensor]):
    """Crops by index; equal indices and seeds give equal crops.

    Args:
        data: folder with the training sets; see `training.scenes.SceneMaker`.
        sources: folder written by `training.scenes.fetch`, or None.
        weights: how often each kind of `training.scenes.maker.KINDS`, or `GOODS`, is drawn.
        split: "train" or "validation".
        side: of the crops in pixels.
        seed: of everything.
    """

    def __init__(
        self,
        data: Path,
        sources: Path | None,
        weights: Mapping[str, float],
        split: str,
        side: int,
        seed: int,
    ) -> None:
        self._side, self._seed = side, seed
        scenes = {kind: weight for kind, weight in weights.items() if kind != GOODS}
        self._maker = SceneMaker(data, sources, scenes, split, SCENE_SIDE)
        files = {path.stem: path for path in (data / "grocery_store" / "images").glob("*.jpg")}
        self._goods = Store(files[name] for name in part_of(tuple(sorted(files)), split))
        share = weights.get(GOODS, 0.0) if len(self._goods) else 0.0
        self._goods_share = share / (share + sum(scenes.values()))

    def __getitem__(self, index: int) -> Tensor:
        """(3, side, side) uint8, RGB."""
        rng = np.random.default_rng((self._seed, 5, index))
        pixels = cut_crop(self._scene(rng), self._side, rng)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    def _scene(self, rng: Rng) -> Scene:
        if rng.random() >= self._goods_share:
            return self._maker.draw(rng)
        pixels = self._goods.pixels(self._goods.names[int(rng.integers(len(self._goods)))])
        return Scene(photographed(pixels, rng), np.zeros(pixels.shape[:2], np.uint8))


def cut_crop(scene: Scene, side: int, rng: Rng) -> Pixels:
    """(side, side, 3): the scene, an object or a part of it, maybe mirrored.

    Args:
        scene: what to cut from.
        side: of the crop in pixels.
        rng: draws everything.
    """
    kind = rng.random()
    box = None
    if kind < OBJECT_SHARE:
        box = _object_box(scene.objects, rng)
    elif kind >= OBJECT_SHARE + WHOLE_SHARE:
        box = _part_box(scene.objects.shape, rng)
    height, width = scene.objects.shape
    left, top, right, bottom = box or (0, 0, width, height)
    cut = scene.pixels[top:bottom, left:right]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    shrinks = min(cut.shape[:2]) >= side
    crop: Pixels = cv2.resize(
        np.ascontiguousarray(cut),
        (side, side),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return crop


Box = tuple[int, int, int, int]


def _object_box(objects: Pixels, rng: Rng) -> Box | None:
    """Left, top, right, bottom of a square around one object, as far as the scene goes; None without one."""
    areas = np.bincount(objects.ravel(), minlength=256)
    areas[[0, IGNORE]] = 0
    found = np.flatnonzero(areas)
    if not len(found):
        return None
    inside = objects == rng.choice(found)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    size = max(int(np.ptp(rows)), int(np.ptp(columns)), LEAST_OBJECT) * (
        1 + rng.uniform(LEAST_ROOM, MOST_ROOM)
    )
    x, y = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    height, width = objects.shape
    left, top = max(round(x - size / 2), 0), max(round(y - size / 2), 0)
    return left, top, min(round(x + size / 2) + 1, width), min(round(y + size / 2) + 1, height)


def _part_box(shape: tuple[int, ...], rng: Rng) -> Box:
    height, width = shape[:2]
    size = max(round(min(height, width) * rng.uniform(LEAST_PART, 1)), 1)
    left, top = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
    return left, top, left + size, top + size
