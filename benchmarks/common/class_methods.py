"""What learns classes from embeddings: ours and what it is compared with, all on the same proposals.

Each thins out overlapping masks by the rule of our detector, so that they differ in how classes are learned
alone. Average precision ranks and so punishes whatever is left out: all but "ours as used" name every
proposal after the class that it resembles most, with a score that says how much.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from kiridashi.classes.calibration import calibrate
from kiridashi.classes.classifier import SCALE, CosineClassifier
from kiridashi.classes.detector import Detector, DetectorSettings, Judgement
from kiridashi.classes.opening import embedder_of
from kiridashi.classes.proposals import Proposal, ProposalSettings, propose
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.evaluate.ifsis.looking import Look, Vectors
from kiridashi.evaluate.ifsis.run import Factory, Found
from kiridashi.models.promptable import PromptableModel

OURS, AS_USED = "ours", "ours as used"
# Both chosen on objects of training photographs, so that the rivals are at their best: of 1 to 20 neighbours
# 20 are best (0.65 mean precision with five shots, 0.63 with one neighbour), and a regularisation (of
# embeddings times SCALE) between 0.1 and 10 makes no difference.
NEIGHBOURS = 20
STRENGTH = 1.0
_BACKGROUND = "\0background"


class ModelEye:
    """Looks at pictures with a model: proposals from its grid, embeddings from its trunk.

    Args:
        model: with a trained mask decoder.
        settings: of the proposals.
        head: file of an embedding head; None: without one, as the product does unless told otherwise.

    Raises:
        InputError: the head is damaged or of another model.
    """

    def __init__(
        self, model: PromptableModel, settings: ProposalSettings | None = None, head: Path | None = None
    ) -> None:
        self.model, self.settings = model, settings
        self.embedder = embedder_of(model, head)

    def look(self, picture: Picture) -> Look:
        """The proposals of a picture as plain arrays."""
        found = propose(self.model, picture, self.settings, self.embedder)
        embeddings = [one.embedding.numpy() for one in found]
        return Look(
            picture.size,
            tuple(one.mask for one in found),
            np.array([one.iou for one in found], dtype=np.float32),
            np.stack(embeddings) if found else np.empty((0, self.embedder.width), np.float32),
        )

    def embed(self, picture: Picture, masks: Sequence[Mask]) -> Vectors:
        """(N, D) embeddings of N masks."""
        embeddings: Vectors = self.embedder.embed(picture, masks).numpy()
        return embeddings


def methods(eye: ModelEye) -> dict[str, Factory]:
    """Makers of every method, by name, ours first."""
    ranking = Detector(
        eye.model,
        CosineClassifier(eye.embedder.width),
        settings=DetectorSettings(keep_uncertain=True),
        embedder=eye.embedder,
    )
    rivals: dict[str, Callable[[], Rival]] = {
        "nearest mean": NearestMean,
        f"{NEIGHBOURS}-NN": Neighbours,
        "linear head, retrained": LinearHead,
    }
    return {
        OURS: partial(Ours, eye, keep_uncertain=True),
        AS_USED: partial(Ours, eye, keep_uncertain=False),
        **{name: partial(_Ranked, ranking, make) for name, make in rivals.items()},
    }


class Ours:
    """The cosine classifier with background and calibrated thresholds.

    Args:
        eye: that looks.
        keep_uncertain: see `DetectorSettings`.
    """

    def __init__(self, eye: ModelEye, *, keep_uncertain: bool) -> None:
        self._eye = eye
        self._settings = DetectorSettings(keep_uncertain=keep_uncertain)
        self.classifier = CosineClassifier(eye.embedder.width)
        self.thresholds: dict[str, float] = {}

    def start(self, base: Mapping[str, Vectors], background: Vectors) -> None:
        """Learn the first classes, maybe none, and the background."""
        for label, shots in base.items():
            self.add(label, shots)
        self.classifier = self.classifier.with_background(background)

    def add(self, label: str, shots: Vectors) -> None:
        """Learn one class more: its row and its threshold."""
        self.classifier = self.classifier.with_class(label, shots)
        self.thresholds[label] = calibrate(shots)

    @property
    def detector(self) -> Detector:
        """As it is now."""
        eye = self._eye
        return Detector(eye.model, self.classifier, self.thresholds, self._settings, eye.embedder)

    def detect(self, look: Look) -> list[Found]:
        """The objects among the proposals of a picture."""
        proposals, detector = proposals_of(look), self.detector
        return found_of(proposals, detector.select(look.size, detector.judge(proposals)))


class Rival(Protocol):
    """A classifier that the cosine classifier is compared with."""

    def learn(self, classes: Mapping[str, Vectors], background: Vectors) -> Any:
        """Learn everything anew from (K, D) shots by class and (M, D) background samples."""
        ...

    def classify(self, embeddings: Vectors) -> tuple[list[str], NDArray[np.float64]]:
        """The best class of each of (N, D) embeddings, never the background, and its probability."""
        ...


class NearestMean:
    """The class whose mean is nearest, without a background."""

    def learn(self, classes: Mapping[str, Vectors], background: Vectors) -> None:  # noqa: ARG002
        """Average the shots."""
        self._names = list(classes)
        self._rows = np.stack([_unit(_unit(shots).mean(axis=0)) for shots in classes.values()])

    def classify(self, embeddings: Vectors) -> tuple[list[str], NDArray[np.float64]]:
        """By a softmax over scaled cosines."""
        return _best(self._names, _softmax(SCALE * (_unit(embeddings) @ self._rows.T)))


class Neighbours:
    """A vote of the nearest shots and background samples, weighted by their scaled cosines' softmax."""

    def learn(self, classes: Mapping[str, Vectors], background: Vectors) -> None:
        """Remember everything."""
        every = {**classes, _BACKGROUND: background}
        self._names = list(classes)
        self._samples = _unit(np.concatenate(list(every.values())))
        numbers = np.repeat(np.arange(len(every)), [len(samples) for samples in every.values()])
        self._votes = np.eye(len(every))[numbers]

    def classify(self, embeddings: Vectors) -> tuple[list[str], NDArray[np.float64]]:
        """By the share of the vote."""
        cosines = _unit(embeddings) @ self._samples.T
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
        weights = _softmax(SCALE * np.take_along_axis(cosines, nearest, axis=1))
        shares = (weights[:, :, None] * self._votes[nearest]).sum(axis=1)
        # A class that nobody voted for may still be the one of the nearest shot.
        tie = np.array(
            [cosines[:, self._votes[:, place] > 0].max(axis=1) for place in range(len(self._names))]
        )
        return _best(self._names, shares[:, : len(self._names)] + 1e-6 * (1 + tie.T))


class LinearHead:
    """Logistic regression on all shots and background samples, each class weighing the same."""

    def learn(self, classes: Mapping[str, Vectors], background: Vectors) -> None:
        """Fit to everything from scratch."""
        from sklearn.linear_model import LogisticRegression

        every = {**classes, _BACKGROUND: background} if len(background) else dict(classes)
        self._names = list(classes)
        self._only = next(iter(every)) if len(every) == 1 else None
        if self._only is None:
            samples = SCALE * _unit(np.concatenate(list(every.values())))
            labels = np.repeat(np.array(list(every)), [len(shots) for shots in every.values()])
            self._head = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
            self._head.fit(samples, labels)

    def classify(self, embeddings: Vectors) -> tuple[list[str], NDArray[np.float64]]:
        """By the probability."""
        if self._only is not None:
            return [self._only] * len(embeddings), np.ones(len(embeddings))
        known = list(self._head.classes_)
        probabilities = self._head.predict_proba(SCALE * _unit(embeddings))
        return _best(self._names, probabilities[:, [known.index(name) for name in self._names]])


class _Ranked:
    """A rival that learns everything anew with every class, thinned out by our detector's rule."""

    def __init__(self, detector: Detector, make: Callable[[], Rival]) -> None:
        self._detector, self._rival = detector, make()
        self._classes: dict[str, Vectors] = {}

    def start(self, base: Mapping[str, Vectors], background: Vectors) -> None:
        self._classes, self._background = dict(base), background
        if base:
            self._rival.learn(self._classes, background)

    def add(self, label: str, shots: Vectors) -> None:
        self._classes[label] = shots
        self._rival.learn(self._classes, self._background)

    def detect(self, look: Look) -> list[Found]:
        if not look.masks:
            return []
        proposals = proposals_of(look)
        labels, probabilities = self._rival.classify(look.embeddings)
        judged = [
            Judgement(one, label, 1.0, float(probability), False, -1.0)
            for one, label, probability in zip(proposals, labels, probabilities, strict=True)
        ]
        return found_of(proposals, self._detector.select(look.size, judged))


def proposals_of(look: Look) -> list[Proposal]:
    """Proposals again from what was kept of them."""
    embeddings = torch.from_numpy(look.embeddings)
    return [
        Proposal(mask, float(iou), embedding)
        for mask, iou, embedding in zip(look.masks, look.quality, embeddings, strict=True)
    ]


def found_of(proposals: Sequence[Proposal], segments: Segments) -> list[Found]:
    """Segments by the place of their masks among the proposals."""
    places = {id(one.mask): place for place, one in enumerate(proposals)}
    return [Found(places[id(one.mask)], one.label, one.score) for one in segments]


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _softmax(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    from scipy.special import softmax

    shares: NDArray[np.float64] = softmax(scores.astype(np.float64), axis=1)
    return shares


def _best(names: Sequence[str], shares: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    return [names[place] for place in shares.argmax(axis=1)], shares.max(axis=1)
