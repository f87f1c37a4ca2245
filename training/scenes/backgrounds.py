"""What the made-up scenes are composed on: photographs, video frames and textures."""

from collections.abc import Callable, Mapping
from functools import cache

import cv2
import numpy as np

from training.scenes.scene import Pixels, Rng, Scene
from training.scenes.textures import draw_texture

SHARES = {
    "voc_train": 0.4,
    "grocery_store": 0.15,
    "davis_train": 0.1,
    "scikit-image": 0.1,
    "textures": 0.25,
}
# Those with a stated free licence, without `coffee` and `coins`: the demo shows them as pictures that no
# weights were fitted to.
PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "grass",
    "gravel",
    "hubble_deep_field",
    "immunohistochemistry",
    "rocket",
    "text",
)

# Draws a whole source picture with the objects known in it.
Source = Callable[[Rng], Scene]


class Backgrounds:
    """Pictures of a wanted size from several sources.

    Args:
        sources: by name, as in `SHARES`; scikit-image and the textures are always there.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources) | {"scikit-image": _photograph}
        self.names = sorted([*self._sources, "textures"])
        shares = np.array([SHARES[name] for name in self.names])
        self._shares = shares / shares.sum()

    def draw(self, size: tuple[int, int], rng: Rng) -> tuple[Pixels, Pixels]:
        """(H, W, 3) pixels and (H, W) labels: what is known in the photograph stays an object."""
        name = self.names[int(rng.choice(len(self.names), p=self._shares))]
        if name == "textures":
            return draw_texture(size, rng), np.zeros(size, np.uint8)
        whole = self._sources[name](rng)
        pixels, labels = cropped(whole, size, rng)
        if rng.random() < 0.15:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.8, 2.5))
        return pixels, labels


def cropped(whole: Scene, size: tuple[int, int], rng: Rng, least: float = 0.55) -> tuple[Pixels, Pixels]:
    """A random part of the wanted shape, maybe mirrored, scaled to the wanted size.

    Args:
        whole: what to cut from.
        size: (height, width) of the result.
        rng: draws the part.
        least: its smallest side in parts of the largest part that fits.

    Returns:
        (H, W, 3) pixels and (H, W) labels.
    """
    height, width = whole.objects.shape
    fit = min(height / size[0], width / size[1]) * rng.uniform(least, 1)
    h, w = max(int(size[0] * fit), 1), max(int(size[1] * fit), 1)
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    pixels, labels = whole.pixels[y : y + h, x : x + w], whole.objects[y : y + h, x : x + w]
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    smooth = cv2.INTER_AREA if fit > 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=smooth)
    labels = cv2.resize(np.ascontiguousarray(labels), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return pixels, labels


def _photograph(rng: Rng) -> Scene:
    pixels = _sheet(PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))])
    return Scene(pixels, np.zeros(pixels.shape[:2], np.uint8))


@cache
def _sheet(name: str) -> Pixels:
    import skimage.data

    pixels: Pixels = np.asarray(getattr(skimage.data, name)(), dtype=np.uint8)
    return pixels[..., :3] if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
