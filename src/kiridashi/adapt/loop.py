"""Epochs over pictures and copies, from maps that were computed once; resumable after every epoch."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
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
IntArray = NDArray[np.int64]
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
        epochs: trained at the last rate that was tried.
        best: the epoch whose parameters now stand in the model; 0: those from the start.
        scores: on the pictures held aside, before and after each of these epochs.
        rate: the last one that was tried.
    """

    epochs: int
    best: int
    scores: tuple[float, ...]
    rate: float


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

    A rate at which no epoch is better than the start was too high for these pictures: the next lower one is
    tried, from the start again.

    Args:
        tuning: of the model.
        lessons: one at least.
        options: epochs, patience, rates and seed.
        batch: pictures a step.
        judge: the score of the model as it stands, on pictures held aside; higher is better.
        tell: told (epochs done, epochs at most); the latter grows when another rate is tried.
        checkpoint: file to go on from and to write after every epoch; None: none.

    Raises:
        UsageError: the loss is no number any more.
        InputError: the checkpoint is damaged or of another run.
    """
    return _Fitting(tuning, lessons, options, batch, judge, tell, checkpoint).run()


class _Fitting:
    """One call of `fit_part`."""

    def __init__(
        self,
        tuning: Tuning,
        lessons: Sequence[Lesson],
        options: AdaptOptions,
        batch: int,
        judge: Judge,
        tell: Tell,
        checkpoint: Path | None,
    ) -> None:
        self._tuning, self._lessons, self._options, self._batch = tuning, lessons, options, batch
        self._judge, self._tell, self._checkpoint = judge, tell, checkpoint
        self._steps = -(-len(lessons) // batch)
        self._holder = _Holder(tuning.parameters)
        self._begin()
        counts = dict.fromkeys(("step", "epoch", "best", "tried", "spent"), 0.0)
        scores = {f"score{number}": -1.0 for number in range(options.epochs + 1)}
        self._facts, self._best = self._state.resume(counts | scores, self._holder.state())
        tuning.model.forget()

    def run(self) -> Epochs:
        """The rates in turn, until one brings something."""
        facts, rates = self._facts, self._options.rates
        if facts["score0"] < 0:
            facts["score0"] = self._judge()
        while True:
            rate = rates[int(facts["tried"])]
            while self._goes_on():
                self._epoch(rate)
            if facts["best"] > 0 or facts["tried"] + 1 == len(rates):
                break
            self._begin_again()
        self._put(self._best)
        epochs = int(facts["epoch"])
        scores = tuple(facts[f"score{number}"] for number in range(epochs + 1))
        return Epochs(epochs, int(facts["best"]), scores, rate)

    def _begin(self) -> None:
        options = self._options
        self._optimiser = torch.optim.AdamW(self._holder.parameters(), weight_decay=options.weight_decay)
        self._state = Resuming(self._holder, self._optimiser, self._checkpoint)

    def _begin_again(self) -> None:
        """From the start, which is still the best, at the next rate."""
        self._put(self._best)
        self._begin()
        facts = self._facts
        facts |= {"tried": facts["tried"] + 1, "spent": facts["spent"] + facts["epoch"]}
        facts |= {"step": 0.0, "epoch": 0.0}

    def _goes_on(self) -> bool:
        epoch = self._facts["epoch"]
        return epoch < self._options.epochs and epoch - self._facts["best"] < self._options.patience

    def _epoch(self, rate: float) -> None:
        """Learn from every picture and copy once, and look at what it has brought."""
        facts, epoch = self._facts, int(self._facts["epoch"])
        order = np.random.default_rng((self._options.seed, STEP_DRAWS, epoch)).permutation(len(self._lessons))
        for index in range(self._steps):
            self._step(epoch, index, order[index * self._batch : (index + 1) * self._batch], rate)
        epoch += 1
        self._tuning.model.forget()
        score = self._judge()
        facts |= {"step": float(epoch * self._steps), "epoch": float(epoch), f"score{epoch}": score}
        if score > facts[f"score{int(facts['best'])}"]:
            facts["best"], self._best = float(epoch), self._holder.state()
        self._state.write(facts, self._best)
        spent = int(facts["spent"])
        self._tell(spent + epoch, spent + self._options.epochs)

    def _step(self, epoch: int, index: int, chosen: IntArray, rate: float) -> None:
        step = epoch * self._steps + index
        for group in self._optimiser.param_groups:
            group["lr"] = rate * _share(step, self._options.epochs * self._steps)
        self._optimiser.zero_grad()
        for place in chosen:
            rng = np.random.default_rng((self._options.seed, STEP_DRAWS, step, int(place)))
            loss = lesson_loss(self._tuning, self._lessons[int(place)], rng) / len(chosen)
            if not loss.isfinite():
                raise UsageError(
                    f"the loss is {loss.item()} in epoch {epoch + 1}; take a lower learning_rate"
                )
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._holder.parameters(), LARGEST_GRADIENT)
        self._optimiser.step()

    def _put(self, state: Mapping[str, Tensor]) -> None:
        self._holder.restore(state)
        self._tuning.model.forget()


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
