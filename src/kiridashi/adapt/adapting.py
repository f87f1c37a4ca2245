"""From a site's samples to a delta of a model, or to the plain word that tuning brought nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kiridashi.adapt.budget import Budget, this_machine
from kiridashi.adapt.loop import Lesson, Tell, fit_part
from kiridashi.adapt.measuring import Quality, gain_of, measure
from kiridashi.adapt.options import AdaptOptions
from kiridashi.adapt.samples import Division, Sample, divide
from kiridashi.adapt.tasks import FloatMap
from kiridashi.adapt.trunks import block_count
from kiridashi.adapt.tuning import Tuning, tuning
from kiridashi.data.augmentation import augment, mirror
from kiridashi.models.delta import Delta, DeltaCard
from kiridashi.models.fingerprint import model_fingerprint
from kiridashi.models.promptable import PromptableModel

# Domain of the draws of copies, apart from those of the steps.
COPY_DRAWS = 0
# One of so many replayed samples is held aside.
REPLAYED_APART = 4
# For each sample a prior made from the other samples of its class, or None where there is none.
Priors = Callable[[Sequence[Sample]], Sequence[FloatMap | None]]


@dataclass(frozen=True, eq=False)
class Earlier:
    """What an earlier adapting left, to go on from.

    Attributes:
        delta: that the tuning starts with.
        samples: kept of it, replayed so that they are not forgotten.
    """

    delta: Delta
    samples: tuple[Sample, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """How an adapting ended.

    Attributes:
        delta: what was learned; None: it brought nothing, and the base stays as it is.
        card: all that is to be told, as JSON.
        division: which samples are to be kept for the next time (those learned from and all replayed), and
            which were held aside.
    """

    delta: Delta | None
    card: dict[str, Any]
    division: Division


def adapt(
    model: PromptableModel,
    samples: Sequence[Sample],
    options: AdaptOptions,
    *,
    priors: Priors | None = None,
    earlier: Earlier | None = None,
    checkpoint: Path | None = None,
    tell: Tell | None = None,
    budget: Budget | None = None,
) -> Outcome:
    """Tune a part of a model; the model itself ends with the very weights it came with.

    Args:
        model: with a trained mask decoder, and no delta in it.
        samples: three pictures at least.
        options: of the tuning.
        priors: gives each sample's prior as `segment` would make it, from the other samples; None: the
            questions are made from the masks alone.
        earlier: to go on from an earlier delta of the same model and part, with its samples replayed.
        checkpoint: file to go on from, removed at the end.
        tell: told (epochs done, epochs at most).
        budget: of the machine; None: of this one, now.

    Raises:
        UsageError: too few pictures, an untrained decoder, peft missing, or a loss that is no number.
        InputError: the checkpoint or the earlier delta does not fit.
    """
    model.require("mask_decoder", "adapting")
    budget = budget or this_machine()
    division = divide(samples, options.aside, options.seed)
    again, old = _part_replayed(earlier.samples if earlier else ())
    # The newest last: of these the most are kept for the next time.
    learned, aside = (*again, *division.learned), division.aside
    everything = [*learned, *aside, *old]
    made = list(priors(everything)) if priors is not None else [None] * len(everything)
    prior_of = {id(sample): prior for sample, prior in zip(everything, made, strict=True)}
    fingerprint = model_fingerprint(model)
    first = budget.first_block(block_count(model.net.vision_encoder.backbone))
    first = first if options.part == "lora" else 0
    rank = options.rank if options.part == "lora" else 0

    def judge_all() -> Quality:
        return measure(model, [*aside, *old], [prior_of[id(one)] for one in (*aside, *old)])

    with tuning(model, options.part, rank=options.rank, first_block=first, seed=options.seed) as part:
        base = judge_all()
        if earlier is not None:
            part.load(earlier.delta.tensors)
        before = judge_all() if earlier is not None else base
        lessons, batch = _lessons(part, learned, prior_of, options, budget)
        epochs = fit_part(
            part, lessons, options, batch, lambda: judge_all().score, tell or _silent, checkpoint
        )
        after = judge_all()
        state = part.state()
    count = len(aside)
    gain = {
        **gain_of(_first(before, count), _first(after, count)),
        "epochs": epochs.epochs,
        "best": epochs.best,
    }
    if earlier is not None:
        gain["over_base"] = gain_of(_first(base, count), _first(after, count))
    if old:
        gain["replayed"] = gain_of(_rest(before, count), _rest(after, count))
    settings = {**options.to_dict(), "learning_rate": epochs.rate, "batch": batch}
    settings |= {"first_block": first, "lessons": len(lessons)}
    brought = epochs.best > 0 and gain["mean"] >= options.least_gain
    card = DeltaCard(
        options.part, model.card.name, fingerprint, rank, float(rank), len(learned), settings, gain
    )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    told = card.to_dict() | {"brought_something": brought, "scores": list(epochs.scores)}
    return Outcome(Delta(state, card) if brought else None, told, Division((*old, *learned), aside))


def _lessons(
    part: Tuning,
    samples: Sequence[Sample],
    prior_of: dict[int, FloatMap | None],
    options: AdaptOptions,
    budget: Budget,
) -> tuple[list[Lesson], int]:
    """Every sample and its copies with what is below the tuned part, and the pictures a step."""
    found = [Lesson(sample, part.see(sample.picture), prior_of[id(sample)]) for sample in samples]
    bytes_each = max(sum(one.numel() * one.element_size() for one in lesson.kept) for lesson in found)
    wanted = max(0, min(options.most_copies, round(options.looks / len(samples)) - 1))
    copies = budget.copies(bytes_each, len(samples), wanted)
    for number, sample in enumerate(samples):
        for index in range(copies):
            rng = np.random.default_rng((options.seed, COPY_DRAWS, number, index))
            twin = _copy(sample, options, rng)
            found.append(Lesson(twin, part.see(twin.picture), None))
    return found, options.batch or budget.batch(bytes_each)


def _copy(sample: Sample, options: AdaptOptions, rng: np.random.Generator) -> Sample:
    """An augmented copy, mirrored half of the time; what is unknown of the original is background in it."""
    mirrored = mirror(sample.picture, sample.mask, rng, upside_down=False)
    picture, mask = augment(*mirrored, options.augmentation, rng)
    return Sample(picture, mask, sample.label)


def _part_replayed(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Those to learn again and those held aside: a quarter, none of so few that each one counts."""
    if len(samples) < REPLAYED_APART:
        return tuple(samples), ()
    aside = tuple(samples[::REPLAYED_APART])
    return tuple(one for number, one in enumerate(samples) if number % REPLAYED_APART), aside


def _first(quality: Quality, count: int) -> Quality:
    return Quality({kind: values[:count] for kind, values in quality.ious.items()})


def _rest(quality: Quality, count: int) -> Quality:
    return Quality({kind: values[count:] for kind, values in quality.ious.items()})


def _silent(done: int, of: int) -> None:
    """Nobody listens."""
