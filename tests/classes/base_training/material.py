"""Small sets to train on."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kiridashi.classes.base_training import Sample
from kiridashi.classes.base_training.gathering import MARKED, Gathered
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import LabelledMask

SIZE = (48, 64)
NAMES = tuple("abcdefghij")
WIDTH = 16


class Discs:
    """`count` pictures, each with a disc of the next class: a colour."""

    def __init__(self, count: int, classes: int = 6) -> None:
        self.digest = f"discs {count} {classes}"
        self._count, self._classes = count, classes
        self.asked = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        self.asked += 1
        rng = np.random.default_rng(index)
        kind = index % self._classes
        pixels = rng.integers(0, 60, (*SIZE, 3)).astype(np.uint8)
        disc = disc_at(rng.uniform(16, 32), rng.uniform(16, 48), 11)
        pixels[disc] = np.random.default_rng(1000 + kind).integers(100, 256, 3)
        mask = Mask.from_array(disc)
        return Sample(Picture(pixels, f"{index}.png"), (LabelledMask(NAMES[kind], mask),), Mask.empty(SIZE))


def disc_at(y: float, x: float, radius: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    disc: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    disc = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return disc


def vectors(classes: int = 8, each: int = 24, nuisance: float = 1.5, background: int = 0) -> Gathered:
    """Embeddings whose first half says the class and whose second half says something else, louder.

    A head that turns the second half down serves every class, those held aside too.
    """
    generator = torch.Generator().manual_seed(0)
    half = WIDTH // 2
    labels = torch.arange(classes).repeat_interleave(each)
    centres = torch.randn(classes, half, generator=generator)
    own = torch.nn.functional.normalize(centres, dim=1)[labels]
    own = own + 0.1 * torch.randn(len(labels), half, generator=generator)
    other = nuisance * torch.nn.functional.normalize(
        torch.randn(len(labels), half, generator=generator), dim=1
    )
    embeddings = torch.cat([own, other], dim=1)
    if background:
        embeddings = torch.cat([embeddings, torch.randn(background, WIDTH, generator=generator)])
        labels = torch.cat([labels, -torch.ones(background, dtype=torch.int64)])
    pictures = torch.arange(len(labels))
    origins = torch.full((len(labels),), MARKED)
    unit: Tensor = torch.nn.functional.normalize(embeddings, dim=1)
    return Gathered(unit, labels, pictures, origins, NAMES[:classes])


def ignore(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


class Killed(Exception):  # noqa: N818  # not an error of the program
    """Raised by `killing`."""


class Killing:
    """Progress that ends the run at a report of one kind."""

    def __init__(self, what: str, done: int) -> None:
        self._what, self._done = what, done

    def __call__(self, what: str, done: int, _total: int) -> None:
        if what == self._what and done >= self._done:
            raise Killed


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
