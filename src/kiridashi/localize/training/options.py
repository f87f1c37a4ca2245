"""How a localiser is trained: every default in one place, written into the card of a trained one."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, get_args

from kiridashi.core.errors import UsageError
from kiridashi.localize.gtformer.options import GTFormerOptions, Trunk, published

Labels = Literal["auto", "single", "multiple"]
DEFECT_AREA = 0.05
WEIGHTED = ("region", "empty", "edge", "token", "evidence", "background")


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of a training.

    Attributes:
        network: what is trained.
        labels: "single": every picture has exactly one label (softmax cross-entropy); "multiple": any
            number, also none (binary cross-entropy); "auto": what the labels are.
        area: a of L_region, the share of the picture that objects cover on the mean, above 0 and below 1.
            Published: 0.25 for CUB, 0.35 for ILSVRC.
        area_slack: a mean area within +- this of `area` costs nothing; 0 as published.
        region_weight: of L_region beside the label loss; 1 as published.
        empty_weight: of the loss that keeps the map of a picture without a label empty.
        edge_weight: of L_edge; 1 as published.
        token_weight: of both for each of the four token maps; 0.5 as published.
        evidence_weight: of the label loss of what lies inside the map, read off the trunk's features at
            their places; 0 as published.
        background_weight: of the loss that keeps what tells classes out of the outside of the map (see
            `background_loss`); 0 as published.
        balance_cap: largest weight of a rare class (see `balance`), 1: none.
        epochs: at most.
        least_steps: an epoch passes a small set as often as it takes for so many steps in all epochs.
        batch: pictures a step.
        learning_rate: of AdamW after the warm-up, for the GTFormer.
        thumbnail_factor: of the learning rate, for what makes global tokens of the thumbnail, 0..1; 1 as
            published. A few hundred thumbnails are learned by heart at the full rate, and the map follows
            the picture's colours.
        plain_rate: the same for the heads of CAM and Grad-CAM.
        final_rate: both end here, along a cosine. The released code computes such a schedule and never
            gives it to the optimiser, so that its rate is constant; here it is applied.
        warmup: share of the steps in which the rate climbs from 0, 0..0.5.
        weight_decay: of AdamW.
        views: of each picture that are learned from, 1..16: as it is; mirrored; then moderate crops of it,
            every second one mirrored.
        held_aside: share of the pictures that are not learned from and say when to stop, 0..0.5; 0: none.
        patience: epochs without a lower label loss on these before it stops.
        least_epochs: no epoch before this one is stopped at or kept: labels are learned sooner than maps.
        seed: of everything that is drawn.
    """

    network: GTFormerOptions = field(default_factory=GTFormerOptions)
    labels: Labels = "auto"
    area: float = 0.35
    area_slack: float = 0.0
    region_weight: float = 0.3
    empty_weight: float = 1.0
    edge_weight: float = 0.02
    token_weight: float = 0.5
    evidence_weight: float = 1.0
    background_weight: float = 4.0
    balance_cap: float = 10.0
    epochs: int = 15
    least_steps: int = 200
    batch: int = 32
    learning_rate: float = 1e-3
    thumbnail_factor: float = 0.02
    plain_rate: float = 1e-3
    final_rate: float = 1e-6
    warmup: float = 0.1
    weight_decay: float = 0.05
    views: int = 2
    held_aside: float = 0.15
    patience: int = 5
    least_epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.labels not in get_args(Labels):
            raise UsageError(f"labels is one of {', '.join(get_args(Labels))}, got {self.labels!r}")
        whole = {"epochs": (1, 10_000), "batch": (1, 4096), "views": (1, 16), "patience": (1, 10_000)}
        whole |= {"least_epochs": (1, 10_000), "least_steps": (1, 1_000_000), "seed": (0, 2**31 - 1)}
        for name, (least, most) in whole.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise UsageError(f"{name} is a whole number of {least} to {most}, got {value!r}")
        for name in ("learning_rate", "plain_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name} is above 0 and at most 1, got {getattr(self, name)}")
        shares = {"area_slack": 1.0, "weight_decay": 1.0, "warmup": 0.5, "held_aside": 0.5, "final_rate": 1.0}
        shares |= {"thumbnail_factor": 1.0}
        for name, most_share in shares.items():
            if not 0 <= getattr(self, name) <= most_share:
                raise UsageError(f"{name} is 0 to {most_share:g}, got {getattr(self, name)}")
        if not 0 < self.area < 1:
            raise UsageError(f"area is a share of the picture between 0 and 1, got {self.area}")
        for name in (f"{kind}_weight" for kind in WEIGHTED):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 1 <= self.balance_cap < math.inf:
            raise UsageError(f"balance_cap must be 1 or more, got {self.balance_cap}")

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return asdict(self) | {"network": self.network.to_dict()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave.

        Raises:
            UsageError: a value out of its range.
            TypeError: a field that is unknown, or of another type.
        """
        return cls(**{**fields, "network": GTFormerOptions.from_dict(fields["network"])})


def for_inspection(options: TrainingOptions, area: float | None = None) -> TrainingOptions:
    """The settings for labels of which some say that nothing is there (OK and not OK).

    What is looked for is then small: the map is held to a small area, and the outside, most of which looks
    like the OK pictures anyway, counts less. Chosen on made-up surfaces with defects (`training.surfaces`).

    Args:
        options: for labels of things.
        area: share of the picture; None: `DEFECT_AREA`.
    """
    return replace(options, area=area or DEFECT_AREA, region_weight=3.0, background_weight=1.0)


def published_cub(trunk: Trunk = "deit-small") -> TrainingOptions:
    """The settings of the paper for CUB-200-2011, but for the schedule, which is applied here.

    The released script of this set trains the mean map only and does not fit its model; these are the
    losses of the ILSVRC script.
    """
    return TrainingOptions(
        network=published(trunk),
        labels="single",
        area=0.25,
        region_weight=1.0,
        edge_weight=1.0,
        evidence_weight=0.0,
        background_weight=0.0,
        balance_cap=1.0,
        epochs=30,
        batch=256,
        learning_rate=1e-4,
        thumbnail_factor=1.0,
        warmup=0.0,
        least_steps=1,
        views=1,
        held_aside=0.0,
        seed=6,
    )


def published_ilsvrc(trunk: Trunk = "deit-small") -> TrainingOptions:
    """The settings of the paper for ILSVRC 2012, whose evaluator reads the first of the five epochs."""
    return TrainingOptions(
        network=published(trunk),
        labels="single",
        area=0.35,
        region_weight=1.0,
        edge_weight=1.0,
        evidence_weight=0.0,
        background_weight=0.0,
        balance_cap=1.0,
        epochs=5,
        batch=512,
        learning_rate=1.5e-5,
        thumbnail_factor=1.0,
        warmup=0.0,
        least_steps=1,
        views=1,
        held_aside=0.0,
        seed=6,
    )
