"""From a data set to labelled embeddings, with the eye and the decoder as they are.

The trunk never changes in base training, so each picture is encoded once and what is kept of it is a vector
a mask. A proposal at inference is what the decoder draws at a point, so those are learned from as well as
the marked masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from kiridashi.classes.base_training.coco_set import InstanceSet, Sample
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.base_training.sampling import BACKGROUND, draw_points
from kiridashi.classes.embedding import Embedder
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.data.atomic import write_bytes
from kiridashi.data.tensors import read_tensors
from kiridashi.models.promptable import PromptableModel

Progress = Callable[[str, int, int], None]
# A mask this like the object's is one of it; one drawn from a background point must be less like any object.
SAME = 0.5
LEAST_AREA = 9
# Pictures whose embeddings are written together: what a killed run may lose.
CHUNK = 100
# Where a mask came from.
MARKED, DRAWN = 0, 1


@dataclass(frozen=True, eq=False)
class Gathered:
    """Embeddings of masks of a data set.

    Attributes:
        embeddings: (N, D) float32 of unit length.
        labels: (N,) int64 place of each one's class in `names`, or `BACKGROUND`.
        pictures: (N,) int64 number of the picture that each is of.
        origins: (N,) int64 `MARKED` masks of people or `DRAWN` by the decoder.
        names: of the classes, sorted.
    """

    embeddings: Tensor
    labels: Tensor
    pictures: Tensor
    origins: Tensor
    names: tuple[str, ...]

    def chosen(self, which: Tensor) -> Self:
        """Those of a (N,) bool choice."""
        places = self.pictures[which], self.origins[which]
        return type(self)(self.embeddings[which], self.labels[which], *places, self.names)


def gather(
    model: PromptableModel,
    embedder: Embedder,
    dataset: InstanceSet,
    options: BaseOptions,
    progress: Progress,
    folder: Path | None = None,
) -> Gathered:
    """Embed the masks of every sample; what an earlier run has written into `folder` is read.

    Args:
        model: its decoder draws masks, unless `options.points` is 0.
        embedder: without a head.
        dataset: to learn from.
        options: of the run.
        progress: told ("embedding", pictures done, pictures).
        folder: of this data set, model and options only.

    Raises:
        UsageError: the decoder is wanted and not trained.
        InputError: a sample cannot be used, or what the folder holds is damaged.
    """
    if options.points:
        model.require("mask_decoder", "base training with points")
    rows: list[_Rows] = []
    for start in range(0, len(dataset), CHUNK):
        end = min(start + CHUNK, len(dataset))
        place = None if folder is None else folder / f"masks-{start:07d}.safetensors"
        if place is not None and place.is_file():
            rows.append(_Rows.read(place))
        else:
            rows.append(_chunk(model, embedder, dataset, range(start, end), options, progress))
            if place is not None:
                rows[-1].write(place)
        progress("embedding", end, len(dataset))
    return _joined(rows)


@dataclass(frozen=True, eq=False)
class _Rows:
    """As `Gathered`, with the names that these labels count."""

    tensors: dict[str, Tensor]
    names: tuple[str, ...]

    def write(self, place: Path) -> None:
        data = save(self.tensors, metadata={"names": "\0".join(self.names)})
        write_bytes(place, data, fsync=True)

    @classmethod
    def read(cls, place: Path) -> Self:
        tensors, metadata = read_tensors(place)
        if set(tensors) != {"embeddings", "labels", "pictures", "origins"} or "names" not in metadata:
            raise InputError(f"{place}: not written by base training; remove it and run again")
        joined = metadata["names"]
        return cls(tensors, tuple(joined.split("\0")) if joined else ())


def _chunk(
    model: PromptableModel,
    embedder: Embedder,
    dataset: InstanceSet,
    indices: range,
    options: BaseOptions,
    progress: Progress,
) -> _Rows:
    embeddings = [torch.empty(0, embedder.width)]
    found: list[tuple[str | None, int, int]] = []
    for index in indices:
        sample = dataset[index]
        masks, classes, origins = _masks(model, sample, options, index)
        embeddings.append(embedder.embed(sample.picture, masks))
        found += [(name, index, origin) for name, origin in zip(classes, origins, strict=True)]
        progress("embedding", index, len(dataset))
    names = tuple(sorted({name for name, _, _ in found if name is not None}))
    places = {name: place for place, name in enumerate(names)}
    labels = [BACKGROUND if name is None else places[name] for name, _, _ in found]
    return _Rows(
        {
            "embeddings": torch.cat(embeddings).clone(),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "pictures": torch.tensor([index for _, index, _ in found], dtype=torch.int64),
            "origins": torch.tensor([origin for _, _, origin in found], dtype=torch.int64),
        },
        names,
    )


def _masks(
    model: PromptableModel, sample: Sample, options: BaseOptions, index: int
) -> tuple[list[Mask], list[str | None], list[int]]:
    """The masks of one sample, with the class of each (None: background) and where it came from."""
    marked = [one for one in sample.objects if one.mask.area >= LEAST_AREA]
    masks: list[Mask] = [one.mask for one in marked]
    classes: list[str | None] = [one.label for one in marked]
    origins = [MARKED] * len(marked)
    if options.points and marked:
        # Of the picture's own: a run that goes on draws what an uninterrupted one draws.
        rng = np.random.default_rng([options.seed, index])
        for mask, owner in _drawn(model, sample, [one.mask for one in marked], options.points, rng):
            masks.append(mask)
            classes.append(None if owner == BACKGROUND else marked[owner].label)
            origins.append(DRAWN)
    return masks, classes, origins


def _drawn(
    model: PromptableModel, sample: Sample, objects: Sequence[Mask], count: int, rng: np.random.Generator
) -> list[tuple[Mask, int]]:
    """What the decoder draws at the points of a sample, with the object of each or `BACKGROUND`."""
    points = draw_points(objects, sample.unknown, count, rng)
    # To the prompt encoder every point is one on an object, on the background too: so it is at inference.
    prompts = [Prompt(points=((x, y, 1),)) for x, y in points.places.tolist()]
    decoded = model.decode(model.encode(sample.picture), prompts)
    kept = []
    for number, owner in enumerate(points.owners.tolist()):
        mask = decoded.mask(number)
        if mask.area >= LEAST_AREA and _is_of(mask, owner, objects):
            kept.append((mask, owner))
    return kept


def _is_of(mask: Mask, owner: int, objects: Sequence[Mask]) -> bool:
    """Whether a mask shows what its point was drawn for."""
    if owner != BACKGROUND:
        return mask.iou(objects[owner]) >= SAME
    return all(mask.iou(one) < SAME for one in objects)


def _joined(rows: Sequence[_Rows]) -> Gathered:
    names = tuple(sorted({name for part in rows for name in part.names}))
    places = {name: place for place, name in enumerate(names)}
    labels = []
    for part in rows:
        # The last entry is the background's: -1 picks it.
        table = torch.tensor([*(places[name] for name in part.names), BACKGROUND], dtype=torch.int64)
        labels.append(table[part.tensors["labels"]])
    parts = {key: torch.cat([part.tensors[key] for part in rows]) for key in rows[0].tensors}
    return Gathered(parts["embeddings"], torch.cat(labels), parts["pictures"], parts["origins"], names)
