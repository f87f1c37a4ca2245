"""Validation of the image stage: the simulated user on held-out scenes in whole frames."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from kiridashi.evaluate.clicks import first_click
from training.image.corrections import corrected, previous_mask
from training.image.decoding import PromptBatch, decode, encode_windows
from training.image.items import look, normalise
from training.image.losses import true_iou
from training.image.prompts import STRIDE
from training.image.windows import FRAME, IGNORE
from training.scenes import SceneMaker
from training.stage import Figures

SEED = 20_261
CLICKS = 5
LEAST_SHARE = 0.003


@dataclass(frozen=True, eq=False)
class Case:
    """One object of a held-out scene.

    Attributes:
        maps: of the trunk, (1, C, H, W) float16 each.
        truth: (1, s, s).
        counts: (1, s, s).
        click: (1, 1, 3).
        box: (1, 4).
    """

    maps: tuple[Tensor, ...]
    truth: Tensor
    counts: Tensor
    click: Tensor
    box: Tensor


class Validation:
    """A fixed set of cases, made at the first use.

    Args:
        maker: of held-out scenes.
        trunk: the frozen trunk, on the CPU.
        count: of cases.
    """

    def __init__(self, maker: SceneMaker, trunk: Any, count: int) -> None:
        self._maker, self._trunk, self._count = maker, trunk, count
        self._cases: list[Case] = []

    @torch.no_grad()
    def measure(self, net: Any) -> Figures:
        """Mean IoU of the mask that would be shown."""
        if not self._cases:
            self._cases = _make_cases(self._maker, self._trunk, self._count)
        rows = np.array([_measure(net, case) for case in self._cases])
        click, best, box, five = rows.mean(0).tolist()
        return {
            "score": (click + box + five) / 3,
            "click": click,
            "best_of_3": best,
            "box": box,
            "five": five,
        }


def _measure(net: Any, case: Case) -> tuple[float, float, float, float]:
    device = next(net.parameters()).device
    maps = tuple(level.float().to(device) for level in case.maps)
    truth, counts = case.truth.to(device), case.counts.to(device)
    features = encode_windows(net, maps, torch.zeros(1, 2, dtype=torch.long))
    image = features.levels[-1] + net.no_memory_embedding.view(1, -1, 1, 1)

    def judge(logits: Tensor) -> float:
        return float(true_iou(logits[:, None], truth[:, None], counts[:, None])[0, 0])

    boxed = decode(net, features, image, PromptBatch(None, case.box.to(device), None))
    prompts = PromptBatch(case.click.to(device), None, None)
    masks = decode(net, features, image, prompts)
    first = previous_mask(masks, several=True)
    best = float(true_iou(masks.logits[:, 1:], truth[:, None], counts[:, None]).max())
    shown = first
    for _ in range(CLICKS - 1):
        prompts = corrected(prompts, shown, truth, counts)
        shown = previous_mask(decode(net, features, image, prompts), several=False)
    return judge(first), best, judge(previous_mask(boxed, several=True)), judge(shown)


def _make_cases(maker: SceneMaker, trunk: Any, count: int) -> list[Case]:
    cases: list[Case] = []
    attempt = 0
    while len(cases) < count:
        case = _make_case(maker, trunk, np.random.default_rng((SEED, attempt)))
        attempt += 1
        if case is not None:
            cases.append(case)
        elif attempt > 20 * count:
            raise RuntimeError("the validation scenes hold no objects; look at the training data")
    return cases


def _make_case(maker: SceneMaker, trunk: Any, rng: np.random.Generator) -> Case | None:
    scene = maker.draw(rng)
    size = (FRAME, FRAME)
    pixels = cv2.resize(scene.pixels, size, interpolation=cv2.INTER_AREA)
    objects = cv2.resize(scene.objects, size, interpolation=cv2.INTER_NEAREST)
    areas = np.bincount(objects.ravel(), minlength=256)
    areas[0] = areas[IGNORE] = 0
    numbers = np.flatnonzero(areas >= LEAST_SHARE * FRAME**2)
    if not len(numbers):
        return None
    inside = objects == rng.choice(numbers)
    maps = look(trunk, normalise(pixels))
    if maps is None:
        return None
    x, y, _ = first_click(inside)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    cells = (FRAME // STRIDE, FRAME // STRIDE)
    truth = cv2.resize(inside.astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    unknown = cv2.resize((objects == IGNORE).astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    return Case(
        tuple(level[None].half() for level in maps),
        torch.from_numpy(truth)[None],
        torch.from_numpy((unknown < 0.5).astype(np.float32))[None],
        torch.tensor([[[x + 0.5, y + 0.5, 1.0]]]),
        torch.tensor([box], dtype=torch.float32),
    )
