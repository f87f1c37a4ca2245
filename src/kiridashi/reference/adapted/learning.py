"""Fit one head to lessons: short, by crops, with everything that is random drawn from one seed."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from kiridashi.core.errors import UsageError
from kiridashi.reference.adapted.material import Lesson, Seen
from kiridashi.reference.adapted.network import Batch, Head, head_loss
from kiridashi.reference.adapted.options import HeadOptions

# Crops are CROP of COARSEST cells of the coarsest map on each side: a quarter of the picture.
COARSEST, CROP = 16, 8
# Of so many places the one with the most of the object is taken.
PLACES = 2
WARMUP = 15
LARGEST_GRADIENT = 5.0
Tick = Callable[[], None]


def new_head(seed: int) -> Head:
    """An untaught head. Not for several threads at once: torch has one generator for all of them."""
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head()


def teach(
    head: Head, lessons: Sequence[Lesson], options: HeadOptions, seed: int, tick: Tick | None = None
) -> Head:
    """Teach a head, in place; several threads may each teach one.

    Args:
        head: untaught.
        lessons: pictures and copies of them.
        options: steps, batch and rates.
        seed: of the crops.
        tick: called after each step.

    Returns:
        The head, ready to answer.

    Raises:
        UsageError: the loss is no number any more.
    """
    with torch.inference_mode(False), torch.enable_grad():
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(
            head.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        for step in range(options.steps):
            rate = options.learning_rate * _share(step, options.steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            batch, truth, counted = _draw(lessons, options.batch, generator)
            logits = head(batch)
            # What is not known is taken as answered rightly.
            loss = head_loss(torch.where(counted > 0.5, logits, -20.0), truth * (counted > 0.5))
            if not loss.isfinite():
                raise UsageError(
                    f"the head's loss is {loss.item()} in step {step + 1}; take a lower learning_rate"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(head.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            if tick is not None:
                tick()
    return head.eval().requires_grad_(False)


@torch.inference_mode()
def answer(heads: Sequence[Head], seen: Seen) -> Tensor:
    """(FINE, FINE) mean of the heads' logits for a whole picture."""
    batch = seen.batch()
    return torch.stack([head(batch)[0, 0] for head in heads]).mean(0)


def _share(step: int, steps: int) -> float:
    """Of the highest rate: a short rise, then half a cosine."""
    return min(1.0, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2


def _draw(lessons: Sequence[Lesson], count: int, generator: torch.Generator) -> tuple[Batch, Tensor, Tensor]:
    """Crops of lessons drawn at random, mirrored half of the time, with truth and what counts."""
    drawn = torch.randint(len(lessons), (count,), generator=generator).tolist()
    columns: list[list[Tensor]] = [[] for _ in range(9)]
    for number in drawn:
        one = lessons[number]
        top, left = _place(one.truth, generator)
        mirrored = bool(torch.rand((), generator=generator) < 0.5)
        seen = one.seen
        parts = (*seen.trunk, seen.filters, seen.prior, seen.fine, one.truth, one.counted)
        for column, part in zip(columns, parts, strict=True):
            scale = part.shape[-1] // COARSEST
            rows = slice(top * scale, (top + CROP) * scale)
            crop = part[:, rows, left * scale : (left + CROP) * scale].float()
            column.append(crop.flip(-1) if mirrored else crop)
    *trunk, filters, prior, fine, truth, counted = (torch.stack(column) for column in columns)
    return Batch.of(trunk, filters, prior, fine), truth, counted


def _place(truth: Tensor, generator: torch.Generator) -> tuple[int, int]:
    scale = truth.shape[-1] // COARSEST
    found: list[tuple[float, int, int]] = []
    for _ in range(PLACES):
        top, left = torch.randint(COARSEST - CROP + 1, (2,), generator=generator).tolist()
        rows = slice(top * scale, (top + CROP) * scale)
        covered = truth[:, rows, left * scale : (left + CROP) * scale].sum()
        found.append((float(covered), top, left))
    _, top, left = max(found, key=lambda one: one[0])
    return top, left
