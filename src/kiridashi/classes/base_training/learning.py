"""Train the head with a cosine classifier on gathered embeddings, and stop by classes it has not seen.

The classifier is that of SAM-IF: cosines with a row a class, times a learned scale, and the background with
several prototypes, of which the nearest counts. After training it is thrown away: a site's classes have
rows of their own.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.classes.base_training.few_shot import SHOTS, accuracies, draw_episodes
from kiridashi.classes.base_training.gathering import Gathered, Progress
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.base_training.sampling import BACKGROUND
from kiridashi.classes.classifier import SCALE
from kiridashi.classes.head import Head
from kiridashi.core.errors import UsageError
from kiridashi.models.resuming import Resuming

PROTOTYPES = 8
DRAWS = 20
WEIGHT_DECAY = 1e-2


class BaseClassifier(nn.Module):
    """Cosine logits of C classes and the background.

    Args:
        rows: (C, D) first rows of the classes.
        background: (P, D) first prototypes of the background; none: it has no output.
    """

    def __init__(self, rows: Tensor, background: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows.clone())
        self.background = nn.Parameter(background.clone())
        self.log_scale = nn.Parameter(torch.tensor(math.log(SCALE)))

    def forward(self, unit: Tensor) -> Tensor:
        """(N, C + 1) logits of (N, D) unit vectors, the background last; (N, C) without background."""
        logits = unit @ F.normalize(self.rows, dim=1).T
        if len(self.background):
            nearest = (unit @ F.normalize(self.background, dim=1).T).amax(dim=1, keepdim=True)
            logits = torch.cat([logits, nearest], dim=1)
        scaled: Tensor = self.log_scale.exp() * logits
        return scaled


@dataclass(frozen=True)
class Learned:
    """How training went.

    Attributes:
        steps: taken.
        best_step: whose weights were kept; 0: no step was better than none.
        first: accuracy on the stopping classes at step 0, the plain embedding's.
        best: the same at `best_step`.
    """

    steps: int
    best_step: int
    first: float
    best: float


def learn_head(
    head: Head,
    material: Gathered,
    stopping: Gathered,
    names: Sequence[str],
    options: BaseOptions,
    progress: Progress,
    checkpoint: Path | None = None,
) -> Learned:
    """Train a head in place; at the end it is the best one seen.

    Args:
        head: fresh.
        material: to learn from; no embedding of a class held aside.
        stopping: objects of the classes that say when to stop.
        names: of those classes.
        options: of the run.
        progress: told ("head", steps done, most steps).
        checkpoint: file to go on from and to write at every check; None: none.

    Raises:
        InputError: the checkpoint is damaged or of another run.
        UsageError: the loss is no number any more.
    """
    labels = _targets(material)
    trained = nn.ModuleDict({"head": head, "classifier": _classifier(head, material, labels, options)})
    optimiser = torch.optim.AdamW(trained.parameters(), options.learning_rate, weight_decay=WEIGHT_DECAY)
    weights = torch.ones(int(labels.max()) + 1)
    if (material.labels == BACKGROUND).any():
        weights[-1] = options.background_weight
    look = _Look(stopping, names, options.seed)
    state = Resuming(trained, optimiser, checkpoint)
    first = look(head)
    facts: dict[str, float] = {"step": 0, "best_step": 0, "first": first, "best": first}
    best = copy.deepcopy(head.state_dict())
    facts, best = state.resume(facts, best)
    while facts["step"] < options.steps and not _waits_in_vain(facts, options):
        step = int(facts["step"])
        picked = _batch(len(labels), options, step)
        logits = trained["classifier"](head(material.embeddings[picked]))
        loss = F.cross_entropy(logits, labels[picked], weight=weights)
        if not loss.isfinite():
            raise UsageError(f"the loss is {loss.item()} at step {step}; take a lower learning_rate")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        facts["step"] = step + 1
        if facts["step"] % options.check_every == 0 or facts["step"] == options.steps:
            kept = _kept(head, options.share)
            reached = look(kept)
            if reached > facts["best"]:
                facts |= {"best": reached, "best_step": step + 1}
                best = kept.state_dict()
            state.write(facts, best)
            progress("head", step + 1, options.steps)
    head.load_state_dict(dict(best))
    head.eval()
    return Learned(int(facts["step"]), int(facts["best_step"]), facts["first"], facts["best"])


class _Look:
    """The mean few-shot accuracy of a head on held-aside classes."""

    def __init__(self, gathered: Gathered, names: Sequence[str], seed: int) -> None:
        self._gathered = gathered
        self._episodes = [draw_episodes(gathered, names, count, DRAWS, seed) for count in SHOTS]

    def __call__(self, head: Head) -> float:
        means = [accuracies(head, self._gathered, some).mean() for some in self._episodes if some]
        return float(torch.stack(means).mean()) if means else 0.0


def _kept(head: Head, share: float) -> Head:
    """A copy that leaves the plain embedding by a share only: the last layer is linear."""
    kept = copy.deepcopy(head)
    with torch.no_grad():
        for parameter in kept.narrow.parameters():
            parameter.mul_(share)
    return kept


def _waits_in_vain(facts: Mapping[str, float], options: BaseOptions) -> bool:
    return facts["step"] - facts["best_step"] >= options.patience * options.check_every


def _batch(count: int, options: BaseOptions, step: int) -> Tensor:
    # Of the step alone: a run that goes on draws what an uninterrupted one draws.
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
    return torch.randint(count, (min(options.batch, count),), generator=generator)


def _targets(material: Gathered) -> Tensor:
    """(N,) int64: the classes that are there from 0 on, then the background."""
    present = torch.tensor(sorted(set(material.labels.tolist()) - {BACKGROUND}))
    targets = torch.searchsorted(present, material.labels)
    return torch.where(material.labels == BACKGROUND, len(present), targets)


def _classifier(head: Head, material: Gathered, labels: Tensor, options: BaseOptions) -> BaseClassifier:
    """Rows start as the class means, prototypes as samples of the background."""
    background = (material.labels == BACKGROUND).nonzero()[:, 0]
    count = int(labels.max()) + (0 if len(background) else 1)
    with torch.no_grad():
        unit = head(material.embeddings)
    rows = torch.stack([unit[labels == place].mean(dim=0) for place in range(count)])
    generator = torch.Generator().manual_seed(options.seed)
    some = background[torch.randperm(len(background), generator=generator)[:PROTOTYPES]]
    return BaseClassifier(rows, unit[some])
