"""`concat`: references and target as a short video, the mask carried over by the model's memory.

The plain concatenation that CAV-SAM starts from (its ablation's first row), with K references as K
prompted frames. DBST puts frames in between and TTGA tunes the neck; both have their own rooms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.video import VideoSession
from kiridashi.reference.answer import AnswerRule, presence_score
from kiridashi.reference.cav.pseudo_video import OBJECT, show_references
from kiridashi.reference.saving import load_state, save_state

NAME = "concat"
# A session keeps the first and the newest of more prompted frames than this.
MOST_REFERENCES = 16


class Concat:
    """Reference segmentation by video memory.

    Args:
        model: with a trained memory.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects; off, it stays one segment.
        seed: taken for the sake of one signature; nothing here is random.

    Attributes:
        session_: holds the references as prompted frames.
        rule_: of the verdict and the split into instances.
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
        self.session_ = show_references(self.model, references)
        present = [
            _score(show_references(self.model, [*references[:i], *references[i + 1 :]]), reference.picture)
            for i, reference in enumerate(references if len(references) > 1 else [])
        ]
        # A negative of which only a part is marked may hold the object elsewhere: it tells nothing here.
        absent = [_score(self.session_, one.picture) for one in negatives if one.mask is None]
        self.rule_ = AnswerRule.fit([reference.mask for reference in references], present, absent)
        return self

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the verdict."""
        if not hasattr(self, "session_"):
            raise UsageError("predict came before fit; call fit with the references first")
        result = self.session_.step(picture, remember=False)[OBJECT]
        provenance = {"method": NAME, "model": self.model.card.name, "refinement": "mask decoder with memory"}
        return self.rule_.apply(result, provenance, verdict=self.verdict, instances=self.instances)

    def save(self, path: Path) -> None:
        """Write the learned state."""
        if not hasattr(self, "session_"):
            raise UsageError("save came before fit; call fit with the references first")
        facts = {"model": self.model.card.name, **self.rule_.facts()}
        save_state(path, NAME, self.session_.state(), facts)

    def load(self, path: Path) -> Self:
        """Take back a saved state.

        Raises:
            InputError: not a saved concat method, or one made with another model.
        """
        tensors, facts = load_state(path, NAME)
        if facts.get("model") != self.model.card.name:
            raise InputError(
                f"{path}: was made with {facts.get('model')}, not with {self.model.card.name}; load it with "
                "that model, or fit the references again"
            )
        try:
            rule = AnswerRule.from_facts(facts)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); fit the references again") from error
        self.session_ = VideoSession.from_state(self.model, tensors)
        self.rule_ = rule
        return self


def _score(session: VideoSession, picture: Picture) -> float:
    return presence_score(session.step(picture, remember=False)[OBJECT])
