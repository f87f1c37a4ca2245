"""Few-shot sets on disk and the episodes drawn from them.

A set is a folder of `images/` and `masks/` (PNG, same stem). With a `meta.json`:

- items with a `class`: the mask's non-zero pixels are that class;
- otherwise masks are label maps whose ids `classes` names, and 255 is ignored.

Without a `meta.json` every non-zero pixel is the one class `object`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from kiridashi.core.errors import InputError, SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.files import check_file
from kiridashi.data.masks import LabelMap, read_label_map
from kiridashi.data.pictures import read_picture
from kiridashi.evaluate.texts import fingerprint

IGNORE = 255
# A class needs a query and at least one support.
MIN_PICTURES = 2
MAX_META_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Example:
    """A picture with the truth for one class.

    Attributes:
        picture: the picture.
        mask: where the class is.
        ignore: pixels that do not count when a prediction is scored.
    """

    picture: Picture
    mask: Mask
    ignore: Mask

    def as_reference(self) -> Reference:
        """The pair that a method is fitted with; ignored pixels count as background there."""
        return Reference(self.picture, self.mask)


class ClassPictures(Protocol):
    """Pictures by class, from which episodes are drawn."""

    @property
    def name(self) -> str:
        """What reports call the set."""
        ...

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the pictures that hold each class, two or more each."""
        ...

    def read(self, name: str, label: str) -> Example:
        """The picture of an id with the truth of one class.

        Raises:
            InputError: a file cannot be used.
        """
        ...


@dataclass(frozen=True)
class Episode:
    """One task: find in the query what the supports mark.

    Attributes:
        index: position in the run.
        label: the class.
        query: id of the picture to segment.
        supports: ids of the pictures whose masks are given, without the query.
    """

    index: int
    label: str
    query: str
    supports: tuple[str, ...]

    @property
    def key(self) -> str:
        """A digest of what the episode asks, for caches."""
        text = "\n".join((self.label, self.query, *self.supports))
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class _Meta:
    """What is used of `meta.json`.

    Attributes:
        ids: numbers in the label maps to class names; empty when the items name their class.
        item_classes: class of each item that names one.
        ignores: whether 255 is void: in label maps always, in binary masks only if the file says so.
    """

    ids: Mapping[int, str] = field(default_factory=dict)
    item_classes: Mapping[str, str] = field(default_factory=dict)
    ignores: bool = False


class FewShotSet:
    """Pictures by class, read from the disk when they are asked for.

    Attributes:
        name: of the folder.
        classes: ids of the pictures in which each class covers at least a pixel; only classes with
            enough such pictures, in the order of `meta.json`.
    """

    def __init__(self, folder: Path, least: int = MIN_PICTURES) -> None:
        """Open a folder and scan its masks.

        Args:
            folder: of the set.
            least: number of pictures that a class needs to be one of `classes`.

        Raises:
            InputError: the folder lacks `images/` or `masks/`, a mask or `meta.json` cannot be read,
                or no class is marked in two pictures.
        """
        self.name = folder.resolve().name
        self._folder = folder
        self._meta = _read_meta(folder)
        self._pictures = _by_stem(folder / "images")
        self._masks = _by_stem(folder / "masks")
        found: dict[str, list[str]] = {}
        for name in sorted(self._pictures.keys() & self._masks.keys()):
            for label in self._labels_in(read_label_map(self._masks[name]), name):
                found.setdefault(label, []).append(name)
        order = list(dict.fromkeys([*self._meta.ids.values(), *found]))
        self.classes: Mapping[str, tuple[str, ...]] = {
            label: tuple(found[label]) for label in order if len(found.get(label, ())) >= least
        }
        if not self.classes:
            raise InputError(f"{folder}: no class is marked in {least} or more pictures")
        self._holding = {label: frozenset(names) for label, names in found.items()}

    @property
    def fingerprint(self) -> str:
        """Changes when a picture, a mask or `meta.json` does; by size and time, not by content."""
        files = [*self._pictures.values(), *self._masks.values(), self._folder / "meta.json"]
        return fingerprint(self._folder, files)

    def without(self, label: str) -> tuple[str, ...]:
        """Ids of the pictures in which a class is nowhere, in order."""
        names = sorted(self._pictures.keys() & self._masks.keys())
        return tuple(name for name in names if name not in self._holding.get(label, ()))

    def read(self, name: str, label: str) -> Example:
        """The picture `name` with the truth of the class `label`."""
        picture = read_picture(self._pictures[name])
        labels = read_label_map(self._masks[name])
        if labels.shape != picture.size:
            raise SizeMismatchError(picture.size, (labels.shape[0], labels.shape[1]), self._masks[name].name)
        ignore = labels == IGNORE if self._meta.ignores else np.zeros(labels.shape, dtype=bool)
        if self._meta.ids:
            inside = labels == next(number for number, known in self._meta.ids.items() if known == label)
        else:
            inside = (labels > 0) & ~ignore
        return Example(picture, Mask.from_array(inside), Mask.from_array(ignore))

    def _labels_in(self, labels: LabelMap, name: str) -> list[str]:
        numbers = [int(n) for n in np.unique(labels) if n > 0 and not (self._meta.ignores and n == IGNORE)]
        if self._meta.ids:
            return [self._meta.ids[number] for number in numbers if number in self._meta.ids]
        return [self._meta.item_classes.get(name, "object")] if numbers else []


def sample_episodes(source: ClassPictures, shots: int, episodes: int, seed: int) -> list[Episode]:
    """Draw episodes: the class is the index modulo the number of classes, its pictures are drawn at random.

    Each episode depends on the seed and its index alone: a longer run begins with the shorter one, and
    with more shots the query stays and the supports of fewer shots come first. A class with fewer than
    `shots` + 1 pictures gives the supports it has. The supports of an episode are distinct; for PATNet's
    rule see `kiridashi.evaluate.cdfss.drawing`.

    Args:
        source: the set.
        shots: number of supports, at least 1.
        episodes: number of episodes, at least 1.
        seed: equal seeds give equal episodes.

    Raises:
        UsageError: shots or episodes below 1.
    """
    if shots < 1 or episodes < 1:
        raise UsageError(f"shots and episodes must be at least 1, got {shots} and {episodes}")
    labels = list(source.classes)
    drawn = []
    for index in range(episodes):
        label = labels[index % len(labels)]
        names = source.classes[label]
        order = np.random.default_rng([seed, index]).permutation(len(names))
        query, *supports = (names[i] for i in order[: shots + 1])
        drawn.append(Episode(index, label, query, tuple(supports)))
    return drawn


def _read_meta(folder: Path) -> _Meta:
    path = folder / "meta.json"
    if not path.is_file():
        return _Meta()
    check_file(path, MAX_META_BYTES)
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        classes = {
            int(number): str(name) for number, name in meta.get("classes", {}).items() if int(number) > 0
        }
        items = {str(item["id"]): str(item["class"]) for item in meta.get("items", []) if "class" in item}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: expected a JSON object with `classes` (number to name) and `items` (id, class)"
        ) from error
    ids = {} if items else classes
    return _Meta(ids, items, ignores=bool(ids) or "ignore" in meta)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a few-shot set holds images/ and masks/")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}
