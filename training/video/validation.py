"""Validation of the video stage: held-out clips in whole frames, with and without memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.image.decoding import encode_windows
from training.image.items import look, normalise
from training.image.losses import true_iou
from training.stage import Figures
from training.video.clips import TARGET, ClipMaker, covers
from training.video.unroll import STRIDE, choose, unroll

SEED = 20_262


@dataclass(frozen=True, eq=False)
class Case:
    """One clip.

    Attributes:
        maps: of the trunk, T tuples of (1, C, H, W) float16.
        given: (1, S, S).
        truth: (T, s, s).
        counts: (T, s, s).
    """

    maps: list[tuple[Tensor, ...]]
    given: Tensor
    truth: Tensor
    counts: Tensor


class Validation:
    """A fixed set of clips, made at the first use.

    Args:
        maker: of held-out clips.
        trunk: the frozen trunk, on the CPU.
        count: of clips.
    """

    def __init__(self, maker: ClipMaker, trunk: Any, count: int) -> None:
        self._maker, self._trunk, self._count = maker, trunk, count
        self._cases: list[Case] = []

    @torch.no_grad()
    def measure(self, net: Any) -> Figures:
        """Mean IoU over the frames after the first; absent objects count 1 where nothing is found, else 0."""
        if not self._cases:
            self._cases = [
                _make_case(self._maker, self._trunk, np.random.default_rng((SEED, number)))
                for number in range(self._count)
            ]
        rows = [[_measure(net, case, memory=memory) for memory in (True, False)] for case in self._cases]
        with_memory, without = np.mean(rows, axis=0).tolist()
        return {"score": with_memory, "without_memory": without}


def _measure(net: Any, case: Case, *, memory: bool) -> float:
    device = next(net.parameters()).device
    corner = torch.zeros(1, 2, dtype=torch.long)
    frames = [
        encode_windows(net, tuple(level.float().to(device) for level in maps), corner) for maps in case.maps
    ]
    answers = unroll(net, frames, case.given.to(device), memory=memory)
    logits = torch.cat([choose(net, masks).logits for masks in answers])[:, None]
    truth, counts = (one[1:, None].to(device) for one in (case.truth, case.counts))
    return float(true_iou(logits, truth, counts).mean())


def _make_case(maker: ClipMaker, trunk: Any, rng: np.random.Generator) -> Case:
    clip = maker.draw(rng)
    maps = []
    for frame in clip.pixels:
        levels = look(trunk, normalise(frame))
        assert levels is not None
        maps.append(tuple(level[None].half() for level in levels))
    truth, _, counts = (torch.from_numpy(one) for one in covers(clip.objects, STRIDE))
    given = torch.from_numpy((clip.objects[:1] == TARGET).astype(np.float32))
    return Case(maps, given, truth, counts)
