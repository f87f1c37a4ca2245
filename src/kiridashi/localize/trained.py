"""A trained localiser: the network, the heads it is measured against, and what is known of their training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from torch import Tensor, nn

from kiridashi.localize.gtformer.network import GTFormer, Localised
from kiridashi.localize.plain_heads import CamHead, GradCamHead
from kiridashi.localize.training.options import TrainingOptions

PARTS = ("gtformer", "cam", "grad_cam")
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Facts:
    """What must be known of a trained network; all of it is in the model card.

    Attributes:
        classes: in the order of the scores.
        single: every training picture had exactly one of them: scores are a softmax, and add up to 1.
        options: of the training.
        channels: D_in of the frozen trunk's joined maps; 3 for a trunk that learns.
        model: name of the model with the frozen trunk; that of the trunk where it learns.
        fingerprint: of that model's encoder; "" where the trunk is part of the network.
        normal: labels that meant that nothing is there.
        pictures: counts of what was trained on: "all", "normal" (without a label), "held aside", and
            "of NAME" for each class.
        epochs: trained.
        best: for each part the epoch whose weights were kept.
        validation: for each part the figures on the pictures held aside: "label loss", "accuracy" (share
            of right decisions: of pictures with one label each, else of all classes of all pictures);
            empty: none were held aside.
        score_thresholds: for each class, from which score on it counts as there; 0.5 where nothing better
            could be found out, and with one label a picture, where the best class is the answer.
        map_threshold: from which value on a cell of the map counts as object.
        notes: JSON values that the caller adds.
    """

    classes: tuple[str, ...]
    single: bool
    options: TrainingOptions
    channels: int
    model: str
    fingerprint: str
    normal: tuple[str, ...] = ()
    pictures: Mapping[str, int] = field(default_factory=dict)
    epochs: int = 0
    best: Mapping[str, int] = field(default_factory=dict)
    validation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    score_thresholds: Mapping[str, float] = field(default_factory=dict)
    map_threshold: float = DEFAULT_THRESHOLD
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inspects(self) -> bool:
        """Whether some of the training pictures showed nothing, as those of good parts."""
        return self.pictures.get("normal", 0) > 0


class TrainedNetwork(nn.Module):
    """GTFormer with the heads of CAM and Grad-CAM on the same trunk, trained in one run.

    Args:
        facts: sizes and classes are built from these; the weights are random.
    """

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.facts = facts
        network, classes = facts.options.network, len(facts.classes)
        self.gtformer = GTFormer(network, classes, facts.channels)
        channels = network.width if network.is_deit else facts.channels
        self.cam = CamHead(channels, classes)
        self.grad_cam = GradCamHead(channels, classes)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The three, by the names in `PARTS`."""
        return {name: getattr(self, name) for name in PARTS}

    def forward(self, inputs: Tensor, thumbnails: Tensor) -> tuple[Localised, dict[str, Tensor]]:
        """What GTFormer says of a batch (see there), and the (B, C) logits of each part."""
        seen: Localised = self.gtformer(inputs, thumbnails)
        logits = {
            "gtformer": seen.logits,
            "cam": self.cam(seen.trunk),
            "grad_cam": self.grad_cam(seen.trunk),
        }
        return seen, logits

    def scores(self, logits: Tensor) -> Tensor:
        """(B, C) scores in 0..1 of (B, C) logits."""
        return logits.softmax(dim=1) if self.facts.single else logits.sigmoid()

    def with_facts(self, facts: Facts) -> Self:
        """The same network with other facts, in eval mode."""
        self.facts = facts
        return self.eval()
