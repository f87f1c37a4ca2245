"""Finds the objects of known classes in a picture: proposals, classified, thinned out.

The inference of SAM-IF; its paper's rule for choosing among overlapping masks is not known to us, ours is
below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import torch

from kiridashi.classes.calibration import DEFAULT_THRESHOLD
from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.proposals import Proposal, ProposalSettings, propose
from kiridashi.core.errors import UsageError
from kiridashi.core.geometry.nms import mask_nms
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.promptable import PromptableModel


@dataclass(frozen=True)
class DetectorSettings:
    """What stays of overlapping masks.

    Attributes:
        proposals: how they are made.
        same_class_iou: a mask falls when its IoU with a better one of its class is above it, 0..1.
        any_class_iou: likewise with a better one of any class: one thing gets one name, 0..1.
        keep_uncertain: name every proposal after the class that it resembles most, however little. For
            average precision, which ranks and so punishes whatever is left out; with five shots on training
            photographs, leaving out makes a precision of 0.39 instead of 0.24 at a recall of 0.48 instead of
            0.51.

    Raises:
        UsageError: an IoU outside 0..1.
    """

    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    same_class_iou: float = 0.5
    any_class_iou: float = 0.8
    keep_uncertain: bool = False

    def __post_init__(self) -> None:
        for value in (self.same_class_iou, self.any_class_iou):
            if not 0 <= value <= 1:
                raise UsageError(f"the IoU from which masks exclude each other is in 0..1, got {value}")


@dataclass(frozen=True)
class Judgement:
    """What the classifier makes of a proposal.

    Attributes:
        proposal: the mask and its embedding.
        nearest: the class that it resembles most; None when no class is known.
        cosine: with that class, -1..1.
        probability: of that class among all and the background, 0..1.
        background: whether it resembles the background more than any class.
        threshold: the cosine that the class demands.
    """

    proposal: Proposal
    nearest: str | None
    cosine: float
    probability: float
    background: bool
    threshold: float

    @property
    def name(self) -> str | None:
        """The class it is of; None for the background and for what resembles no class enough."""
        return None if self.background or self.cosine < self.threshold else self.nearest

    @property
    def score(self) -> float:
        """Probability times predicted IoU, 0..1: how sure the name is, and how good the mask."""
        return self.probability * self.proposal.iou


class Detector:
    """Objects of known classes.

    Args:
        model: its decoder draws the masks.
        classifier: of the classes.
        thresholds: least cosine by class name, -1..1; a class without one takes `DEFAULT_THRESHOLD`. One
            below the classifier's floor has no effect.
        settings: default: the fast grid, IoU 0.5 within a class.
        embedder: default: that of the model; must be what the classifier's shots were embedded with.

    Raises:
        UsageError: a threshold for an unknown class, or a classifier of another width than the embeddings.
    """

    def __init__(
        self,
        model: PromptableModel,
        classifier: CosineClassifier,
        thresholds: Mapping[str, float] | None = None,
        settings: DetectorSettings | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.model, self.classifier = model, classifier
        self.thresholds = MappingProxyType(dict(thresholds or {}))
        self.settings = settings or DetectorSettings()
        self.embedder = embedder or Embedder(model)
        unknown = [name for name in self.thresholds if name not in classifier]
        if unknown:
            raise UsageError(
                f"a threshold for {unknown[0]!r}, which is no class; known: {classifier.some_names}"
            )
        if classifier.width != self.embedder.width:
            raise UsageError(
                f"the classes were learned from embeddings of width {classifier.width}, {model.card.name} "
                f"gives {self.embedder.width}; type `kiridashi classes rebuild` to embed their samples anew"
            )

    def detect(self, picture: Picture) -> Segments:
        """The objects of a picture, best first, each with its class and score; none is a result too.

        Raises:
            UsageError: the model's mask decoder is not trained.
        """
        return self.select(picture.size, self.judge(self.propose(picture)))

    def propose(self, picture: Picture) -> list[Proposal]:
        """The masks of a picture that are to be judged, best predicted IoU first.

        Raises:
            UsageError: the model's mask decoder is not trained.
        """
        return propose(self.model, picture, self.settings.proposals, self.embedder)

    def judge(self, proposals: Sequence[Proposal]) -> list[Judgement]:
        """What each proposal is, all of them in one matrix product; in the order they came."""
        if not proposals:
            return []
        embeddings = torch.stack([proposal.embedding for proposal in proposals])
        cosines = self.classifier.cosines(embeddings)
        probabilities = (self.classifier.scale * cosines).softmax(dim=1)
        names = self.classifier.names
        if not names:
            return [Judgement(one, None, -1.0, 0.0, True, DEFAULT_THRESHOLD) for one in proposals]
        nearest = cosines[:, :-1].argmax(dim=1)
        places = torch.arange(len(proposals))
        return [
            Judgement(
                proposal,
                names[place],
                cosine,
                probability,
                background >= cosine,
                self._threshold(names[place]),
            )
            for proposal, place, cosine, probability, background in zip(
                proposals,
                nearest.tolist(),
                cosines[places, nearest].tolist(),
                probabilities[places, nearest].tolist(),
                cosines[:, -1].tolist(),
                strict=True,
            )
        ]

    def select(self, size: tuple[int, int], judgements: Sequence[Judgement]) -> Segments:
        """The best of overlapping masks.

        Args:
            size: (height, width) of the picture.
            judgements: of its proposals.

        Returns:
            Segments labelled with their class and scored by `Judgement.score`, best first, without a verdict.
        """
        every = self.settings.keep_uncertain
        found = [(one.nearest if every else one.name, one) for one in judgements]
        known = [Segment(one.proposal.mask, one.score, name) for name, one in found if name is not None]
        provenance = {
            "method": "classes",
            "model": self.model.card.name,
            "classes": str(len(self.classifier)),
            "proposals": str(len(judgements)),
        }
        return Segments(size, tuple(self._thin_out(known)), provenance=MappingProxyType(provenance))

    def _thin_out(self, segments: Sequence[Segment]) -> list[Segment]:
        """First within each class, then among all: a mask is not ousted by one that falls itself."""
        by_class: dict[str, list[Segment]] = {}
        for segment in segments:
            by_class.setdefault(segment.label, []).append(segment)
        kept = [one for group in by_class.values() for one in _suppress(group, self.settings.same_class_iou)]
        return _suppress(kept, self.settings.any_class_iou)

    def _threshold(self, name: str) -> float:
        return self.thresholds.get(name, DEFAULT_THRESHOLD)


def _suppress(segments: Sequence[Segment], iou: float) -> list[Segment]:
    masks: list[Mask] = [segment.mask for segment in segments]
    return [segments[index] for index in mask_nms(masks, [segment.score for segment in segments], iou)]
