"""Epochs over pictures and copies, from maps that were computed once; resumable after every epoch."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Sample
from kiridashi.adapt.tasks import FloatMap, as_cells, draw_tasks
from kiridashi.adapt.trunks import Maps
from kiridashi.adapt.tuning import Tuning
from kiridashi.core.errors import UsageError
from kiridashi.models.mask_loss import mask_loss
from kiridashi.models.resuming import Resuming

WARMUP = 10
LARGEST_GRADIENT = 1.0
# Domain of the draws of a step, apart from those of the copies.
STEP_DRAWS = 1
Judge = Callable[[], float]
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Lesson:
    """A picture or a copy of one, with what is below the tuned part.

    Attributes:
        sample: picture and mask.
        kept: what `Tuning.see` gave.
        prior: of its own references; None: one is made up at every step.
    """

    sample: Sample
    kept: Maps
    prior: FloatMap | None


@dataclass(frozen=True)
class Epochs:
    """How a tuning went.

    Attributes:
        epochs: trained.
        best: the epoch whose parameters now stand in the model; 0: those from the start.
        scores: on the pictures held aside, before and after each epoch.
    """

    epochs: int
    best: int
    scores: tuple[float, ...]


def fit_part(
    tuning: Tuning,
    lessons: Sequence[Lesson],
    options: AdaptOptions,
    batch: int,
    judge: Judge,
    tell: Tell,
    checkpoint: Path | None,
) -> Epochs:
    """Tune a part; at the end the best parameters seen stand in it, which may be those from the start.

    Args:
        tuning: of the model.
        lessons: one at least.
        options: epochs, patience, rates and seed.
        batch: pictures a step.
        judge: the score of the model as it stands, on pictures held aside; higher is better.
        tell: told (epochs done, epochs at most).
        checkpoint: file to go on from and to write after every epoch; None: none.

    Raises:
        UsageError: the loss is no number any more.
        InputError: the checkpoint is damaged or of another run.
    """
    holder = _Holder(tuning.parameters)
    optimiser = torch.optim.AdamW(holder.parameters(), lr=options.rate, weight_decay=options.weight_decay)
    state = Resuming(holder, optimiser, checkpoint)
    start = {f"score{number}": -1.0 for number in range(options.epochs + 1)}
    facts: dict[str, float] = {"step": 0.0, "epoch": 0.0, "best": 0.0, **start}
    best = holder.state()
    facts, best = state.resume(facts, best)
    tuning.model.forget()
    if facts["score0"] < 0:
        facts["score0"] = judge()
    steps = -(-len(lessons) // batch)
    epoch = int(facts["epoch"])
    while epoch < options.epochs and epoch - facts["best"] < options.patience:
        order = np.random.default_rng((options.seed, STEP_DRAWS, epoch)).permutation(len(lessons))
        for index in range(steps):
            step = epoch * steps + index
            for group in optimiser.param_groups:
                group["lr"] = options.rate * _share(step, options.epochs * steps)
            optimiser.zero_grad()
            chosen = order[index * batch : (index + 1) * batch]
            for place in chosen:
                rng = np.random.default_rng((options.seed, STEP_DRAWS, step, int(place)))
                loss = lesson_loss(tuning, lessons[int(place)], rng) / len(chosen)
                if not loss.isfinite():
                    raise UsageError(
                        f"the loss is {loss.item()} in epoch {epoch + 1}; take a lower learning_rate"
                    )
                loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(holder.parameters(), LARGEST_GRADIENT)
            optimiser.step()
        epoch += 1
        tuning.model.forget()
        score = judge()
        facts |= {"step": float(epoch * steps), "epoch": float(epoch), f"score{epoch}": score}
        if score > facts[f"score{int(facts['best'])}"]:
            facts["best"], best = float(epoch), holder.state()
        state.write(facts, best)
        tell(epoch, options.epochs)
    holder.restore(best)
    tuning.model.forget()
    scores = tuple(facts[f"score{number}"] for number in range(epoch + 1))
    return Epochs(epoch, int(facts["best"]), scores)


def lesson_loss(tuning: Tuning, lesson: Lesson, rng: np.random.Generator) -> Tensor:
    """() mean loss of the questions that a picture is asked, one of each kind."""
    features = tuning.features(lesson.kept, lesson.sample.picture.size)
    losses = []
    for task in draw_tasks(lesson.sample, lesson.prior, rng):
        decoded = tuning.model.decode_alike(features, task.prompts, task.multimask)
        side = decoded.logits.shape[-1]
        counted = torch.ones(side, side)
        if lesson.sample.ignore is not None and not lesson.sample.ignore.is_empty:
            counted = 1 - as_cells([lesson.sample.ignore], side)[0]
        losses.append(mask_loss(decoded.logits, decoded.iou, as_cells(task.truths, side), counted))
    return torch.stack(losses).mean()


def _share(step: int, steps: int) -> float:
    """Of the highest rate: a short rise, then half a cosine."""
    return min(1.0, (step + 1) / WARMUP) * (1 + math.cos(math.pi * step / max(steps, 1))) / 2


class _Holder(nn.Module):
    """Parameters by names with dots in them, as a module that `Resuming` can keep."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, value in parameters.items():
            self.register_parameter(name.replace(".", "/"), value)

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.named_parameters()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in self.named_parameters():
                value.copy_(state[name])
