"""From labelled pictures to a trained localiser."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.localize.gtformer.deit import CHECKPOINTS, load_checkpoint
from kiridashi.localize.model_folder import save_model
from kiridashi.localize.trained import DEFAULT_THRESHOLD, PARTS, Facts, TrainedNetwork
from kiridashi.localize.training.labels import Targets, balance, split_pictures, targets_of
from kiridashi.localize.training.loop import Epochs, fit_network, label_losses, predict_logits
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.localize.training.sources import FeatureSource, PixelSource, Source
from kiridashi.localize.training.thresholds import score_threshold
from kiridashi.models.promptable import PromptableModel

Progress = Callable[[str, int, int], None]
RESUMING = ".resume"
RANDOM = "random"


class Labelled(Protocol):
    """A picture file with its labels; none: nothing is there."""

    @property
    def path(self) -> Path:
        """The picture."""
        ...

    @property
    def labels(self) -> Set[str]:
        """Names of the classes in it."""
        ...


def train(
    items: Sequence[Labelled],
    classes: Sequence[str],
    options: TrainingOptions | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
    *,
    model: PromptableModel | None = None,
    cache: Path | None = None,
    aside: Sequence[Labelled] = (),
    normal: Sequence[str] = (),
    notes: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    local_files_only: bool = False,
) -> TrainedNetwork:
    """Train a localiser on labels of whole pictures.

    A run that was killed goes on where it was when it is started again with the same pictures, labels,
    options and `out`; its outcome is that of a run that was not.

    Args:
        items: the pictures to learn from; boxes and masks are not looked at.
        classes: names, in the order of the scores.
        options: None: the defaults.
        out: folder that the model is written into at the end (see `model_folder`), and in which the state
            of a run is kept until then; None: neither.
        progress: told (what is done, how much of it, of how much): "looking" in pictures, "training" in
            epochs.
        model: whose frozen trunk is looked through; needed but for a DeiT trunk.
        cache: folder in which features outlive this run; None: they are held in memory.
        aside: pictures that are not learned from and say when to stop; none: `options.held_aside` of `items`.
        normal: the labels that were read as "nothing is there"; for the card.
        notes: JSON values for the card.
        checkpoint: of a DeiT trunk: a folder or a hub id; None: the published one; "random": none.
        local_files_only: never ask the network for that checkpoint.

    Raises:
        UsageError: labels that nothing can be learned from, a model that is missing or has no trained
            encoder, a folder that cannot be written, or a loss that is no number.
        InputError: a picture cannot be read, or the state of the killed run is damaged.
        ModelUnavailableError: the checkpoint is not here and cannot be fetched.
    """
    options = options or TrainingOptions()
    tell = progress or _silent
    everything = [*items, *aside]
    targets = targets_of([one.labels for one in everything], classes, options.labels)
    paths = [one.path for one in everything]
    facts = Facts(
        tuple(classes),
        targets.single,
        options,
        channels=3,
        model=options.network.trunk,
        fingerprint="",
        normal=tuple(normal),
        notes=dict(notes or {}),
    )
    source, facts = _source(facts, model, paths, cache, lambda done, all_: tell("looking", done, all_))
    network = _fresh(facts)
    if options.network.is_deit and checkpoint != RANDOM:
        place = checkpoint or CHECKPOINTS[options.network.trunk]
        load_checkpoint(network.gtformer, place, local_files_only=local_files_only)
    if aside:
        learned, held = list(range(len(items))), list(range(len(items), len(everything)))
    else:
        learned, held = split_pictures(targets.matrix, options.held_aside, options.seed)
    key = _key(facts, source, targets, held, checkpoint)
    state = None if out is None else out / RESUMING / f"{key}.safetensors"
    # Callers may be in inference mode, whose tensors cannot be learned from.
    with torch.inference_mode(False), torch.enable_grad():
        epochs = fit_network(
            network, source, targets, learned, held, lambda done, all_: tell("training", done, all_), state
        )
    facts = _measured(network, source, targets, learned, held, epochs)
    network.with_facts(facts)
    if out is not None:
        save_model(network, out)
        shutil.rmtree(out / RESUMING, ignore_errors=True)
    return network


def _source(
    facts: Facts,
    model: PromptableModel | None,
    paths: Sequence[Path],
    cache: Path | None,
    tell: Callable[[int, int], None],
) -> tuple[Source, Facts]:
    options = facts.options
    if options.network.is_deit:
        return PixelSource(paths, tell), facts
    if model is None:
        raise UsageError("training on a frozen trunk needs the model that has it; give a model")
    trunk = FrozenTrunk(model, options.network.strides, options.network.grid)
    source = FeatureSource(trunk, paths, options.views, cache, tell)
    known = replace(facts, channels=source.channels, model=model.card.name, fingerprint=trunk.fingerprint)
    return source, known


def _fresh(facts: Facts) -> TrainedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(facts.options.seed)
        return TrainedNetwork(facts)


def _measured(
    network: TrainedNetwork,
    source: Source,
    targets: Targets,
    learned: Sequence[int],
    aside: Sequence[int],
    epochs: Epochs,
) -> Facts:
    """The facts of a trained network, with its figures on the pictures held aside."""
    facts = network.facts
    matrix = targets.matrix
    counts = {"all": len(matrix), "normal": int((~targets.has_object).sum()), "held aside": len(aside)}
    counts |= {f"of {name}": int(column.sum()) for name, column in zip(facts.classes, matrix.T, strict=True)}
    validation: dict[str, dict[str, float]] = {}
    thresholds = dict.fromkeys(facts.classes, DEFAULT_THRESHOLD)
    if aside:
        weights = balance(Targets(matrix[list(learned)], targets.single), facts.options.balance_cap)
        losses = label_losses(network, source, targets, aside, weights)
        logits = predict_logits(network, source, aside)
        truth = matrix[list(aside)]
        for name in PARTS:
            accuracy = _accuracy(logits[name], truth, targets.single)
            validation[name] = {"label loss": losses[name], "accuracy": accuracy}
        scores = network.scores(logits["gtformer"])
        # Where every picture has one label, the highest score decides, whatever its value.
        thresholds = (
            thresholds
            if targets.single
            else {
                name: score_threshold(scores[:, place], truth[:, place] > 0, DEFAULT_THRESHOLD)
                for place, name in enumerate(facts.classes)
            }
        )
    return replace(
        facts,
        pictures=counts,
        epochs=epochs.epochs,
        best=epochs.best,
        validation=validation,
        score_thresholds=thresholds,
    )


def _accuracy(logits: Tensor, truth: Tensor, single: bool) -> float:
    if single:
        return float((logits.argmax(dim=1) == truth.argmax(dim=1)).float().mean())
    return float(((logits > 0) == (truth > 0)).float().mean())


def _key(facts: Facts, source: Source, targets: Targets, aside: Sequence[int], checkpoint: str | None) -> str:
    """Changes with everything that the outcome of a run depends on."""
    parts = [
        facts.options.to_dict(),
        facts.classes,
        facts.fingerprint,
        source.digests,
        targets.matrix.tolist(),
        list(aside),
        checkpoint,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
