"""The epochs of a training: what is drawn follows from the seed and the step alone, so that it can go on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.localize.gtformer.losses import contrast_loss, label_loss, map_loss
from kiridashi.localize.gtformer.network import FeatureStem, Localised
from kiridashi.localize.trained import PARTS, TrainedNetwork
from kiridashi.localize.training.early_stop import Best
from kiridashi.localize.training.labels import Targets, balance
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.localize.training.schedule import rate
from kiridashi.localize.training.sources import Source
from kiridashi.models.resuming import Resuming

EVALUATION_BATCH = 32
# Pictures that the standardisation of the features rests on.
MEASURED = 256
LEAST_DEVIATION = 1e-3
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Epochs:
    """How a training went.

    Attributes:
        epochs: trained.
        best: for each part the epoch whose weights the network now has.
    """

    epochs: int
    best: dict[str, int]


def fit_network(
    network: TrainedNetwork,
    source: Source,
    targets: Targets,
    learned: Sequence[int],
    aside: Sequence[int],
    tell: Tell,
    checkpoint: Path | None = None,
) -> Epochs:
    """Train a network in place; at the end each part has its best epoch's weights.

    Args:
        network: fresh.
        source: of the pictures.
        targets: their labels.
        learned: numbers of the pictures to learn from.
        aside: numbers of those that say when to stop; none: every epoch is trained, the last one kept.
        tell: told (epochs trained, most epochs).
        checkpoint: file to go on from and to write after every epoch; None: none.

    Raises:
        InputError: the checkpoint is damaged or of another run.
        UsageError: the loss is no number any more.
    """
    options = network.facts.options
    optimiser = _optimiser(network, options)
    best = Best(network.parts, min(options.least_epochs, options.epochs))
    state = Resuming(network, optimiser, checkpoint)
    steps = -(-len(learned) // options.batch)
    passes = -(-options.least_steps // (steps * options.epochs))
    steps *= passes
    weights = balance(Targets(targets.matrix[list(learned)], targets.single), options.balance_cap)
    if isinstance(network.gtformer.stem, FeatureStem):
        standardise(network.gtformer.stem, source, learned[:MEASURED])
    facts, best.weights = state.resume({"step": 0.0, "epoch": 0.0, **best.facts}, best.weights)
    best.facts = {name: facts[name] for name in best.facts}
    epoch = int(facts["epoch"])
    while epoch < options.epochs and best.waited(epoch) < options.patience:
        network.train()
        for index, batch in enumerate(_batches(learned, options, epoch, passes)):
            step = epoch * steps + index
            _set_rates(optimiser, step, options.epochs * steps, options)
            with _seeded(options.seed, step) as generator:
                inputs, thumbnails = source.batch(batch, generator)
                loss = training_loss(network, inputs, thumbnails, _chosen(targets, batch), weights)
            if not loss.isfinite():
                raise UsageError(
                    f"the loss is {loss.item()} in epoch {epoch + 1}; take a lower learning_rate"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        epoch += 1
        best.update(epoch, label_losses(network, source, targets, aside, weights) if aside else None)
        state.write({"step": epoch * steps, "epoch": epoch, **best.facts}, best.weights)
        tell(epoch, options.epochs)
    best.restore()
    network.eval()
    return Epochs(epoch, {name: int(best.facts[f"{name}.epoch"]) for name in PARTS})


def training_loss(
    network: TrainedNetwork, inputs: Tensor, thumbnails: Tensor, targets: Targets, weights: Tensor
) -> Tensor:
    """The published total for GTFormer, and the label losses of the plain heads, which share nothing with it.

    L = L_cls + (L_region + L_edge)(mean map) + 0.5 sum_k (L_region + L_edge)(token map k), Pro2SAM; and the
    two losses of ours that tie the map to its places, on `Localised.evidence`.
    """
    seen, logits = network(inputs, thumbnails)
    labels = sum(
        (label_loss(logits[name], targets.matrix, weights, single=targets.single) for name in PARTS),
        start=torch.zeros(()),
    )
    options = network.facts.options
    contrast = contrast_loss(
        seen,
        targets.matrix,
        weights,
        single=targets.single,
        evidence_weight=options.evidence_weight,
        background_weight=options.background_weight,
    )
    return labels + contrast + _map_losses(seen, targets.has_object, options)


@torch.no_grad()
def predict_logits(network: TrainedNetwork, source: Source, pictures: Sequence[int]) -> dict[str, Tensor]:
    """(N, C) logits of each part for pictures as they are; the network is left in eval mode."""
    network.eval()
    found: dict[str, list[Tensor]] = {name: [] for name in PARTS}
    for start in range(0, len(pictures), EVALUATION_BATCH):
        _, logits = network(*source.batch(pictures[start : start + EVALUATION_BATCH], None))
        for name in PARTS:
            found[name].append(logits[name])
    return {name: torch.cat(parts) for name, parts in found.items()}


def label_losses(
    network: TrainedNetwork, source: Source, targets: Targets, pictures: Sequence[int], weights: Tensor
) -> dict[str, float]:
    """The label loss of each part on some pictures, with the weights of the training."""
    logits = predict_logits(network, source, pictures)
    labels = targets.matrix[list(pictures)]
    return {name: label_loss(logits[name], labels, weights, single=targets.single).item() for name in PARTS}


@torch.no_grad()
def standardise(stem: FeatureStem, source: Source, pictures: Sequence[int]) -> None:
    """Set mean and deviation of the features by some of the pictures, as they are."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for start in range(0, len(pictures), EVALUATION_BATCH):
        patches = source.batch(pictures[start : start + EVALUATION_BATCH], None)[0].flatten(0, 1).double()
        count += len(patches)
        total, squares = total + patches.sum(dim=0), squares + patches.square().sum(dim=0)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    stem.mean.copy_(mean)
    stem.deviation.copy_(deviation.clamp(min=LEAST_DEVIATION))


def _map_losses(seen: Localised, has_object: Tensor, options: TrainingOptions) -> Tensor:
    def of(maps: Tensor) -> Tensor:
        return map_loss(
            maps,
            has_object,
            area=options.area,
            slack=options.area_slack,
            region_weight=options.region_weight,
            empty_weight=options.empty_weight,
            edge_weight=options.edge_weight,
        )

    tokens = torch.stack([of(maps) for maps in seen.token_maps.unbind(dim=1)])
    return of(seen.map) + options.token_weight * tokens.sum()


def _optimiser(network: TrainedNetwork, options: TrainingOptions) -> torch.optim.AdamW:
    plain = [*network.cam.parameters(), *network.grad_cam.parameters()]
    thumbnails = list(network.gtformer.global_tokens.parameters())
    slow = {id(parameter) for parameter in thumbnails}
    others = [one for one in network.gtformer.parameters() if id(one) not in slow]
    groups = [
        {"params": others, "peak": options.learning_rate},
        {"params": thumbnails, "peak": options.thumbnail_factor * options.learning_rate},
        {"params": plain, "peak": options.plain_rate},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, weight_decay=options.weight_decay)


def _set_rates(optimiser: torch.optim.AdamW, step: int, steps: int, options: TrainingOptions) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate(step, steps, group["peak"], options.final_rate, options.warmup)


def _batches(
    pictures: Sequence[int], options: TrainingOptions, epoch: int, passes: int
) -> Iterator[list[int]]:
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + epoch)
    for _ in range(passes):
        order = torch.randperm(len(pictures), generator=generator).tolist()
        for start in range(0, len(order), options.batch):
            yield [pictures[place] for place in order[start : start + options.batch]]


@contextmanager
def _seeded(seed: int, step: int) -> Iterator[torch.Generator]:
    """Draws of a step: a generator for the views, and the global state for stochastic depth."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 1_000_003 + step)
        yield torch.Generator().manual_seed(seed * 1_000_033 + step)


def _chosen(targets: Targets, pictures: Sequence[int]) -> Targets:
    return Targets(targets.matrix[list(pictures)], targets.single)
