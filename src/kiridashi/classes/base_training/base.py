"""Base training: from a data set of instances to an embedding head, or to the news that none is needed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kiridashi.classes.base_training.coco_set import InstanceSet, first_problem
from kiridashi.classes.base_training.decoder import DecoderResult, tune_decoder
from kiridashi.classes.base_training.few_shot import SHOTS, accuracies, draw_episodes
from kiridashi.classes.base_training.gathering import Gathered, Progress, gather
from kiridashi.classes.base_training.learning import Learned, learn_head
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.base_training.splitting import ClassSplit, split_classes
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.head import Head, HeadFacts
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.promptable import PromptableModel

DRAWS = 50
"""Draws of shots that the verdict rests on."""


@dataclass(frozen=True)
class Gain:
    """Few-shot accuracy on the judging classes: nearest class mean, mean over draws of shots, 0..1.

    Attributes:
        shots: K.
        before: of the plain embedding.
        after: of the head.
        error: standard error of the difference over the draws.
    """

    shots: int
    before: float
    after: float
    error: float

    @property
    def gain(self) -> float:
        """Positive where the head is better."""
        return self.after - self.before


@dataclass(frozen=True, eq=False)
class BaseResult:
    """What base training brought.

    Attributes:
        head: to be used; None where it brought nothing, and the plain embedding is to be kept.
        split: which classes were learned from.
        gains: one for each number of shots.
        learned: how the head's training went.
        decoder: what tuning the decoder brought; None: it was not asked for. The model that was given has
            the tuned decoder.
        verdict: one sentence for the user.
    """

    head: Head | None
    split: ClassSplit
    gains: tuple[Gain, ...]
    learned: Learned
    decoder: DecoderResult | None
    verdict: str


def train_base(
    model: PromptableModel,
    dataset: InstanceSet,
    options: BaseOptions | None = None,
    progress: Progress | None = None,
) -> BaseResult:
    """Train on a base set what serves classes that come later (SAM-IF's base training, at instance level).

    Classes are drawn and held aside before anything is learned. Half of them say when to stop, the others
    whether the head is better than none: only then is there one in the result.

    Args:
        model: whose decoder draws masks, and is tuned in place if the options say so.
        dataset: of base classes, for instance a `CocoSet`.
        options: default: `BaseOptions()`.
        progress: told (what is done, how much of it, of how much): "embedding", "head", "decoder".

    Raises:
        InputError: a sample cannot be used, the data set has too few classes to hold some aside, or a file
            in the folder is damaged.
        UsageError: the mask decoder is not trained, a folder cannot be written, or a loss is no number.
    """
    options = options or BaseOptions()
    tell = progress or _silent
    first_problem(dataset)
    place = None if options.folder is None else options.folder / _key(model, dataset, options)
    decoder = None
    if options.decoder_steps and place is not None:
        # It learns from classes held aside too, but no embedding and no verdict hangs on the decoder.
        decoder = tune_decoder(model, dataset, options, tell, place)
        place = place / "tuned"
    embedder = Embedder(model, None)
    gathered = gather(model, embedder, dataset, options, tell, place)
    split = split_classes(gathered, options.held_aside, options.seed)
    head = _fresh(embedder, options)
    material = gathered.chosen(~_of(gathered, (*split.stopping, *split.judging)))
    stopping = gathered.chosen(_of(gathered, split.stopping))
    file = None if place is None else place / "head.checkpoint.safetensors"
    learned = learn_head(head, material, stopping, split.stopping, options, tell, file)
    gains = judge(head, gathered.chosen(_of(gathered, split.judging)), split.judging, options.seed)
    won = learned.best_step > 0 and _is_won(gains, options.least_gain)
    if won:
        head.facts = replace(head.facts, notes=_notes(dataset, options, split, gains, learned))
    return BaseResult(
        head if won else None, split, gains, learned, decoder, _verdict(won, gains, split.judging)
    )


def judge(head: Head, gathered: Gathered, names: tuple[str, ...], seed: int) -> tuple[Gain, ...]:
    """Head against no head on the same draws, for each number of shots that leaves something to ask about.

    Args:
        head: to judge.
        gathered: objects of the judging classes.
        names: of those classes.
        seed: draws the shots.
    """
    gains = []
    for shots in SHOTS:
        episodes = draw_episodes(gathered, names, shots, DRAWS, seed)
        if not episodes:
            continue
        before = accuracies(_plain, gathered, episodes)
        after = accuracies(head, gathered, episodes)
        error = float((after - before).std(correction=0)) / len(episodes) ** 0.5
        gains.append(Gain(shots, float(before.mean()), float(after.mean()), error))
    return tuple(gains)


def _is_won(gains: tuple[Gain, ...], least: float) -> bool:
    """On the mean over the numbers of shots at least `least` and two standard errors, and no loss at any."""
    if not gains:
        return False
    mean = sum(one.gain for one in gains) / len(gains)
    error = sum(one.error for one in gains) / len(gains)
    return mean >= max(least, 2 * error) and min(one.gain for one in gains) >= 0


def _verdict(won: bool, gains: tuple[Gain, ...], names: tuple[str, ...]) -> str:
    figures = ", ".join(
        f"{one.shots} shot{'s' if one.shots > 1 else ''} {one.before:.3f} -> {one.after:.3f}" for one in gains
    )
    on = f"on {len(names)} classes that nothing was learned from ({figures or 'nothing to ask about'})"
    if won:
        return f"the head tells new classes apart better {on}"
    return f"base training brought nothing for new classes {on}; the plain embedding is kept"


def _fresh(embedder: Embedder, options: BaseOptions) -> Head:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        return Head(embedder.width, HeadFacts(embedder.fingerprint, embedder.eye.card.name))


def _of(gathered: Gathered, names: tuple[str, ...]) -> Tensor:
    """(N,) bool: of one of these classes."""
    places = torch.tensor([gathered.names.index(name) for name in names], dtype=torch.int64)
    return torch.isin(gathered.labels, places)


def _notes(
    dataset: InstanceSet,
    options: BaseOptions,
    split: ClassSplit,
    gains: tuple[Gain, ...],
    learned: Learned,
) -> Mapping[str, Any]:
    settings = {name: value for name, value in vars(options).items() if name != "folder"}
    return {
        "data": dataset.digest,
        "options": settings,
        "classes": {name: list(part) for name, part in vars(split).items()},
        "accuracy": [vars(one) for one in gains],
        "step": learned.best_step,
    }


def _key(model: PromptableModel, dataset: InstanceSet, options: BaseOptions) -> str:
    """A folder's name that changes with everything that what it holds depends on."""
    settings = {name: value for name, value in vars(options).items() if name not in ("folder", "least_gain")}
    weights = hashlib.sha256()
    for name, tensor in sorted(model.net.state_dict().items()):
        weights.update(name.encode())
        weights.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    parts = [dataset.digest, weights.hexdigest(), encoder_fingerprint(model), settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _plain(embeddings: Tensor) -> Tensor:
    return embeddings


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
