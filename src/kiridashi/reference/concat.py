"""`concat`: references and target as a short video, the mask carried over by the model's memory.

The plain concatenation that CAV-SAM starts from (its ablation's first row), with K references as K
prompted frames. DBST puts frames in between and TTGA tunes the neck; both have their own rooms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import MemoryOptions, VideoSession
from kiridashi.reference.instances import LABEL, ObjectSize, split_instances, whole_object
from kiridashi.reference.presence import calibrate, judge
from kiridashi.reference.saving import load_state, save_state

NAME = "concat"
OBJECT = 1
# A session keeps the first and the newest of more prompted frames than this.
MOST_REFERENCES = 16
DEFAULT_THRESHOLD = 0.5
# A reference and a target are no two moments of one scene: where the object was says nothing.
PAIRS = MemoryOptions(carry="nothing")


class Concat:
    """Reference segmentation by video memory.

    Args:
        model: with a trained memory.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects; off, it stays one segment.
        seed: taken for the sake of one signature; nothing here is random.

    Attributes:
        session_: holds the references as prompted frames.
        threshold_: of the presence verdict.
        size_: of the references' objects.
    """

    def __init__(
        self, model: PromptableModel, *, verdict: bool = True, instances: bool = True, seed: int = 0
    ) -> None:
        self.model = model
        self.verdict = verdict
        self.instances = instances
        self.seed = seed

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Show the references to the memory and calibrate the verdict.

        Negatives set the verdict's threshold; the memory itself has no place for them.

        Raises:
            UsageError: no reference, or more than the memory holds.
        """
        if not 1 <= len(references) <= MOST_REFERENCES:
            raise UsageError(f"concat takes 1 to {MOST_REFERENCES} references, got {len(references)}")
        self.model.require("memory", "method concat")
        self.size_ = ObjectSize.of([reference.mask for reference in references])
        self.session_ = self._session(references)
        present = [
            self._score(self._session([*references[:i], *references[i + 1 :]]), reference.picture)
            for i, reference in enumerate(references if len(references) > 1 else [])
        ]
        absent = [self._score(self.session_, negative.picture) for negative in negatives]
        self.threshold_ = calibrate(DEFAULT_THRESHOLD, present, absent)
        return self

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the verdict."""
        if not hasattr(self, "session_"):
            raise UsageError("predict came before fit; call fit with the references first")
        result = self.session_.step(picture, remember=False)[OBJECT]
        verdict = judge(_probability(result.object_score), self.threshold_)
        provenance = {"method": NAME, "model": self.model.card.name, "refinement": "mask decoder with memory"}
        shown = verdict if self.verdict else None
        if self.verdict and not verdict.present:
            return Segments(picture.size, (), shown, provenance)
        probability = result.probability()
        if self.instances:
            found = split_instances(probability, self.size_, LABEL)
        else:
            found = whole_object(probability, LABEL)
        return Segments(picture.size, tuple(found), shown, provenance)

    def save(self, path: Path) -> None:
        """Write the learned state."""
        if not hasattr(self, "session_"):
            raise UsageError("save came before fit; call fit with the references first")
        facts = {
            "model": self.model.card.name,
            "threshold": self.threshold_,
            "typical": self.size_.typical,
            "uniform": self.size_.uniform,
            "thickness": self.size_.thickness,
        }
        save_state(path, NAME, self.session_.state(), facts)

    def load(self, path: Path) -> Self:
        """Take back a saved state.

        Raises:
            InputError: not a saved concat method, or one made with another model.
        """
        tensors, facts = load_state(path, NAME)
        self.session_ = VideoSession.from_state(self.model, tensors, PAIRS)
        self.threshold_ = float(str(facts["threshold"]))
        self.size_ = ObjectSize(
            float(str(facts["typical"])), bool(facts["uniform"]), float(str(facts["thickness"]))
        )
        return self

    def _session(self, references: Sequence[Reference]) -> VideoSession:
        session = VideoSession(self.model, PAIRS)
        for reference in references:
            session.step(reference.picture, {OBJECT: reference.mask})
        return session

    def _score(self, session: VideoSession, picture: Picture) -> float:
        return _probability(session.step(picture, remember=False)[OBJECT].object_score)


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
