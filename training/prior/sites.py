"""Made-up sites: a few pictures that share one thing, with its exact mask in each.

Three kinds, from training-only sources: photographs of one class (`voc_train`), one cut-out object
on changing or on one kind of background (`tuxpaint_stamps` on `voc_train`), and one surface with one
kind of defect (`training.surfaces`).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.surfaces import DEFECTS, SURFACES, draw_picture, draw_site

Rng = np.random.Generator
Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]
IGNORE = 255
LEAST_COVER = 0.004
LEAST_PICTURES = 12
ABSENT_SHARE = 0.15


@dataclass(frozen=True)
class Site:
    """Pictures of one thing.

    Attributes:
        kind: "voc", "stamps" or "surfaces".
        label: what the thing is, for logs.
        samples: (pixels (H, W, 3) uint8, mask (H, W) uint8: 0, 1 or 255 = ignore), all containing it.
        absent: a picture of the same kind without it.
    """

    kind: str
    label: str
    samples: list[Sample]
    absent: NDArray[np.uint8]


class SiteMaker:
    """Draws sites from the training data under `data`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.kinds: dict[str, Callable[[int, Rng], Site]] = {
            "voc": self.photographs,
            "stamps": self.cut_outs,
            "surfaces": self.surface,
        }

    @cached_property
    def by_class(self) -> dict[int, list[str]]:
        """`voc_train` picture names by class."""
        meta = json.loads((self.data / "voc_train" / "meta.json").read_text())
        found: dict[int, list[str]] = {}
        for item in meta["items"]:
            for number in item["classes"]:
                found.setdefault(number, []).append(item["id"])
        return found

    @cached_property
    def stamps(self) -> list[str]:
        """Paths of the cut-outs, in order."""
        return sorted(str(path) for path in (self.data / "tuxpaint_stamps" / "rgba").glob("*.png"))

    def photographs(self, count: int, rng: Rng) -> Site:
        """`count` photographs with objects of one class."""
        number = int(rng.choice([n for n, names in self.by_class.items() if len(names) >= LEAST_PICTURES]))
        samples: list[Sample] = []
        for name in rng.permutation(self.by_class[number]):
            labels = self._voc_labels(str(name))
            mask = np.where(labels == IGNORE, IGNORE, labels == number).astype(np.uint8)
            if (mask == 1).mean() >= LEAST_COVER:
                samples.append((self._voc_pixels(str(name)), mask))
            if len(samples) == count:
                break
        others = sorted(set(self._voc_names) - set(self.by_class[number]))
        return Site("voc", f"class {number}", samples, self._voc_pixels(str(rng.choice(others))))

    def cut_outs(self, count: int, rng: Rng) -> Site:
        """One cut-out pasted into `count` scenes with others around it."""
        stamp = self._stamp(str(rng.choice(self.stamps)))
        fixed = self._voc_pixels(str(rng.choice(self._voc_names))) if rng.random() < 0.4 else None
        base = rng.uniform(0.12, 0.5)
        scenes = [self._scene(stamp, fixed, base, rng) for _ in range(count)]
        absent, _ = self._scene(None, fixed, base, rng)
        return Site("stamps", "cut-out", scenes, absent)

    def surface(self, count: int, rng: Rng) -> Site:
        """One surface with one kind of defect."""
        site = draw_site(str(rng.choice(list(SURFACES))), str(rng.choice(list(DEFECTS))), rng)
        drawn = [draw_picture(site, rng) for _ in range(count)]
        samples = [(pixels, mask.astype(np.uint8)) for pixels, mask in drawn]
        pixels, mask = draw_picture(site, rng)
        hidden = cv2.inpaint(pixels, cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))), 3, cv2.INPAINT_TELEA)
        return Site("surfaces", site.label, samples, hidden)

    @cached_property
    def _voc_names(self) -> list[str]:
        return sorted({name for names in self.by_class.values() for name in names})

    def _voc_pixels(self, name: str) -> NDArray[np.uint8]:
        return _read(self.data / "voc_train" / "images" / f"{name}.jpg", "RGB")

    def _voc_labels(self, name: str) -> NDArray[np.uint8]:
        return _read(self.data / "voc_train" / "masks" / f"{name}.png", None)

    def _stamp(self, path: str) -> NDArray[np.uint8]:
        return _read(Path(path), "RGBA")

    def _scene(
        self, stamp: NDArray[np.uint8] | None, fixed: NDArray[np.uint8] | None, base: float, rng: Rng
    ) -> Sample:
        picture = fixed if fixed is not None else self._voc_pixels(str(rng.choice(self._voc_names)))
        scene = _crop(picture, rng)
        mask = np.zeros(scene.shape[:2], np.uint8)
        for _ in range(rng.integers(0, 4)):
            _paste(scene, mask, self._stamp(str(rng.choice(self.stamps))), base, 0, rng)
        if stamp is not None:
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                _paste(scene, mask, stamp, base, 1, rng)
        return scene, mask


def _read(path: Path, mode: str | None) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        pixels: NDArray[np.uint8] = np.array(image.convert(mode) if mode else image, dtype=np.uint8)
    return pixels


def _crop(picture: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """A random part of at least two thirds, maybe mirrored, with another exposure."""
    height, width = picture.shape[:2]
    h, w = int(height * rng.uniform(0.66, 1)), int(width * rng.uniform(0.66, 1))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    part = picture[y : y + h, x : x + w]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    exposed: NDArray[np.uint8] = np.clip(part * rng.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
    return exposed


def _paste(
    scene: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    stamp: NDArray[np.uint8],
    base: float,
    value: int,
    rng: Rng,
) -> None:
    """Paste a cut-out under a random affine and colour change; what it covers is overwritten."""
    height, width = scene.shape[:2]
    side = base * rng.uniform(0.6, 1.5) * min(height, width) * 1.4
    scale = side / max(stamp.shape[:2])
    angle, shear = rng.uniform(-40, 40), rng.uniform(-0.15, 0.15)
    centre = rng.uniform(0.15, 0.85, 2) * (width, height)
    matrix = cv2.getRotationMatrix2D((stamp.shape[1] / 2, stamp.shape[0] / 2), angle, scale)
    matrix[0, :2] += shear * matrix[1, :2]
    middle = matrix @ np.array([stamp.shape[1] / 2, stamp.shape[0] / 2, 1])
    matrix[:, 2] += centre - middle
    if rng.random() < 0.5:
        stamp = stamp[:, ::-1]
    warped = cv2.warpAffine(stamp, matrix, (width, height), flags=cv2.INTER_AREA).astype(np.float32)
    alpha = warped[..., 3:] / 255
    colour = np.clip(warped[..., :3] * rng.uniform(0.75, 1.2) * rng.uniform(0.92, 1.08, 3), 0, 255)
    scene[:] = (scene * (1 - alpha) + colour * alpha).astype(np.uint8)
    mask[alpha[..., 0] > 0.5] = value
