"""Things in photographs, named by kind: what a head is judged on and nothing is learned of."""

import json
from pathlib import Path

import cv2
import numpy as np

from kiridashi.classes.base_training import Sample
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import LabelledMask
from training.scenes.scene import IGNORE
from training.scenes.store import Store

LEAST_SHARE = 0.005


class Kinds:
    """Photographs of `voc_train`; each connected part of a class mask is an object.

    Args:
        folder: of the set.
        count: pictures, drawn at random.

    Attributes:
        digest: of the arguments.
    """

    def __init__(self, folder: Path, count: int) -> None:
        meta = json.loads((folder / "meta.json").read_text())
        self._classes = {int(number): str(name) for number, name in meta["classes"].items()}
        names = sorted(str(item["id"]) for item in meta["items"])
        self._names = [str(name) for name in np.random.default_rng(0).permutation(names)[:count]]
        self._images = Store(folder / "images" / f"{name}.jpg" for name in self._names)
        self._masks = Store(folder / "masks" / f"{name}.png" for name in self._names)
        self.digest = f"kinds {self._names}"

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        """The photograph of a number."""
        name = self._names[index]
        labels = self._masks.labels(name)
        objects = []
        for value in np.unique(labels[(labels > 0) & (labels != IGNORE)]).tolist():
            count, parts, stats, _ = cv2.connectedComponentsWithStats((labels == value).astype(np.uint8))
            large = [n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] >= LEAST_SHARE * labels.size]
            objects += [LabelledMask(self._classes[value], Mask.from_array(parts == n)) for n in large]
        picture = Picture(self._images.pixels(name), name)
        return Sample(picture, tuple(objects), Mask.from_array(labels == IGNORE))
