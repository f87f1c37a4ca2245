"""Real pictures with masks made by people: `voc_train` photographs and `davis_train` video frames."""

from pathlib import Path

import numpy as np

from training.scenes.scene import IGNORE, Pixels, Rng, Scene, components
from training.scenes.store import Store

# Parts of a mask below this share of the picture are no objects.
LEAST_SHARE = 0.001
# Every twelfth picture by name is kept for validation.
HELD_OUT = 12


def part_of(names: tuple[str, ...], split: str) -> tuple[str, ...]:
    """The names of a split: "validation" is every twelfth, "train" the others."""
    held = split == "validation"
    return tuple(name for number, name in enumerate(names) if (number % HELD_OUT == HELD_OUT - 1) == held)


class Photographs:
    """`voc_train`: the connected parts of each class mask are the objects.

    Objects of one class that touch are one object; the set does not tell them apart.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.masks = Store((folder / "masks").glob("*.png"))
        names = part_of(self.masks.names, split)
        wanted = set(names)
        self.images = Store(path for path in (folder / "images").glob("*.jpg") if path.stem in wanted)
        self.names = tuple(name for name in names if name in set(self.images.names))

    def draw(self, rng: Rng) -> Scene:
        """One photograph as it is."""
        return self.read(self.names[int(rng.integers(len(self.names)))])

    def read(self, name: str) -> Scene:
        """The photograph of this name."""
        return Scene(self.images.pixels(name), objects_of(self.masks.labels(name)))


class Frames:
    """`davis_train`: what is marked in a frame is one object, in several parts if something is before it."""

    def __init__(self, folder: Path) -> None:
        self._sequences = [
            (Store((path / "frames").glob("*.jpg")), Store((path / "masks").glob("*.png")))
            for path in sorted(folder.iterdir())
            if (path / "masks").is_dir()
        ]

    def __len__(self) -> int:
        return sum(len(masks) for _, masks in self._sequences)

    def draw(self, rng: Rng) -> Scene:
        """A frame of a sequence, every sequence alike."""
        frames, masks = self._sequences[int(rng.integers(len(self._sequences)))]
        name = masks.names[int(rng.integers(len(masks)))]
        mask = masks.labels(name)
        known: Pixels = np.where(mask == IGNORE, IGNORE, mask != 0).astype(np.uint8)
        if np.count_nonzero(known == 1) < LEAST_SHARE * known.size:
            known[known == 1] = IGNORE
        return Scene(frames.pixels(name), known)


def objects_of(labels: Pixels) -> Pixels:
    """Objects of a class mask (0 background, 255 ignore): the connected parts of every class."""
    least = max(round(LEAST_SHARE * labels.size), 1)
    objects: Pixels = np.where(labels == IGNORE, np.uint8(IGNORE), np.uint8(0))
    count = 0
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    for value in (int(n) for n in present if n not in (0, IGNORE)):
        parts = components(labels == value, least)
        known = (parts > 0) & (parts < IGNORE)
        objects[parts == IGNORE] = IGNORE
        # A photograph of so many objects does not occur; the limit keeps 255 free.
        known &= parts < IGNORE - count
        objects[known] = parts[known] + np.uint8(count)
        count = min(count + int(parts[known].max(initial=0)), IGNORE - 1)
    return objects
