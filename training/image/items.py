"""Items of the image stage: windows with prompts, deterministic by their index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from kiridashi.models.catalogue import find_card
from training.image.decoding import PromptBatch
from training.image.prompts import Layout, Task, draw_layouts, make_task, object_numbers
from training.image.windows import Window, cut_window
from training.scenes import SceneMaker

MOST_TRIES = 50


@dataclass(frozen=True, eq=False)
class Item:
    """One window and a task for each slot.

    Attributes:
        pixels: (3, S, S) normalised.
        maps: of the frozen trunk, (C, H, W) each, or None when the trainer computes them.
        corner: of the window in the frame, in tokens.
        layouts: of the slots.
        tasks: of the slots.
    """

    pixels: Tensor
    maps: tuple[Tensor, ...] | None
    corner: tuple[int, int]
    layouts: list[Layout]
    tasks: list[Task]


@dataclass(frozen=True, eq=False)
class Slot:
    """One prompt a window, all of one layout.

    Attributes:
        prompts: of the slot.
        truth: (B, s, s).
        counts: (B, s, s).
    """

    prompts: PromptBatch
    truth: Tensor
    counts: Tensor


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """B windows.

    Attributes:
        pixels: (B, 3, S, S).
        maps: trunk maps, or None.
        corners: (B, 2) in tokens.
        slots: the prompts.
    """

    pixels: Tensor
    maps: tuple[Tensor, ...] | None
    corners: Tensor
    slots: list[Slot]


class ImageItems(Dataset[Item]):
    """Windows with prompts.

    Args:
        maker: draws scenes.
        trunk: the frozen trunk to run on each window, or None.
        side: of the windows in pixels.
        slots: prompts a window.
        batch: items a step; all items of a step share their slots' layouts.
        seed: of everything.
    """

    def __init__(
        self, maker: SceneMaker, trunk: nn.Module | None, side: int, slots: int, batch: int, seed: int
    ) -> None:
        self._maker, self._trunk = maker, trunk
        self._side, self._slots, self._batch, self._seed = side, slots, batch, seed

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng((self._seed, 0, index))
        layouts = draw_layouts(self._slots, np.random.default_rng((self._seed, 1, index // self._batch)))
        window = self._window(rng)
        tasks = [make_task(window, layout, rng) for layout in layouts]
        pixels = normalise(window.pixels)
        return Item(pixels, look(self._trunk, pixels), window.corner, layouts, tasks)

    def _window(self, rng: np.random.Generator) -> Window:
        for _ in range(MOST_TRIES):
            window = cut_window(self._maker.draw(rng), self._side, rng)
            if len(object_numbers(window)):
                return window
        raise RuntimeError(f"no object in {MOST_TRIES} scenes; look at the training data")


def normalise(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """(3, S, S) float32 as the compact model wants it, from (S, S, 3) uint8."""
    card = find_card("compact")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (card.mean, card.std))
    return (torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 - mean) / std


def look(trunk: Any, pixels: Tensor) -> tuple[Tensor, ...] | None:
    """The trunk's maps of one window, if there is a trunk."""
    if trunk is None:
        return None
    with torch.no_grad():
        return tuple(level[0] for level in trunk.look(pixels[None]))


def collate(items: Sequence[Item]) -> ImageBatch:
    """One batch; the items share their layouts."""
    maps = None
    if items[0].maps is not None:
        maps = tuple(
            torch.stack(level) for level in zip(*(one.maps for one in items if one.maps), strict=True)
        )
    slots = [
        _slot(layout, [item.tasks[index] for item in items]) for index, layout in enumerate(items[0].layouts)
    ]
    return ImageBatch(
        torch.stack([item.pixels for item in items]),
        maps,
        torch.tensor([item.corner for item in items]),
        slots,
    )


def _slot(layout: Layout, tasks: list[Task]) -> Slot:
    prompts = PromptBatch(
        points=_stack([task.points for task in tasks]) if layout.clicks else None,
        boxes=_stack([task.box for task in tasks]) if layout.box else None,
        base=_stack([task.prior for task in tasks])[:, None] if layout.prior else None,
    )
    return Slot(prompts, _stack([task.truth for task in tasks]), _stack([task.counts for task in tasks]))


def _stack(arrays: list[np.ndarray[Any, np.dtype[np.float32]]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
