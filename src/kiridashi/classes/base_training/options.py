"""How base training goes."""

import math
from dataclasses import dataclass
from pathlib import Path

from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class BaseOptions:
    """Settings of base training.

    Points, background weight and the losses are those of papers that leave them open (SAM-IF), so they are
    this project's reading of it.

    Attributes:
        folder: where features, embeddings and checkpoints are kept, so that a killed run goes on where it
            was; None: everything in memory, no resuming, and no tuning of the decoder.
        points: drawn in each picture: half in eroded objects (at least one in each), a quarter in a ring
            about them, a quarter anywhere else. 0: only the marked masks are learned from.
        held_aside: share of the classes that are never trained on; half of them say when to stop, the
            others whether anything was gained. 0..1, both ends excluded.
        steps: at most, of the head.
        batch: embeddings a step.
        learning_rate: of AdamW, for the head.
        background_weight: of the background in the cross-entropy, 0..1.
        check_every: steps between two looks at the held-aside classes.
        patience: looks without a gain before it stops.
        least_gain: points of few-shot accuracy, 0..1, that a head must bring to be kept.
        share: of what the head has learned that is kept, above 0 and up to 1. Between the plain embedding and
            the learned one lies what serves new classes best (weights between two models: Wortsman et al.,
            2022, arXiv 2109.01903). On training data, of ten kinds of objects that nothing was learned of,
            0.7 tells more apart than 1, and of stamps as many.
        decoder_steps: of tuning the mask decoder before the head is trained; 0: it stays as it is.
        decoder_rate: of AdamW, for the decoder.
        seed: of everything that is drawn.

    Raises:
        UsageError: a setting out of its range.
    """

    folder: Path | None = None
    points: int = 64
    held_aside: float = 0.25
    steps: int = 2000
    batch: int = 256
    learning_rate: float = 2e-4
    background_weight: float = 0.3
    check_every: int = 50
    patience: int = 8
    least_gain: float = 0.005
    share: float = 0.7
    decoder_steps: int = 0
    decoder_rate: float = 5e-5
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"points": 0, "steps": 1, "batch": 2, "check_every": 1, "patience": 1, "decoder_steps": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise UsageError(f"{name} must be {lowest} or more, got {getattr(self, name)}")
        for name in ("learning_rate", "decoder_rate"):
            rate = getattr(self, name)
            if not (math.isfinite(rate) and rate > 0):
                raise UsageError(f"{name} must be a number above 0, got {rate}")
        if not 0 < self.held_aside < 1:
            raise UsageError(f"held_aside is a share of the classes between 0 and 1, got {self.held_aside}")
        if not 0 < self.share <= 1:
            raise UsageError(f"share must be above 0 and at most 1, got {self.share}")
        for name in ("background_weight", "least_gain"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be in 0..1, got {getattr(self, name)}")
        if self.decoder_steps and self.folder is None:
            raise UsageError("tuning the decoder keeps its features on the disk; name a folder for them")
