"""`prototype`: prior from the references, sharpened, split into objects, verified, judged.

The prior joins semantic similarity and local appearance (`reference.prior`). It always looks with the
compact model's trunk, whose ImageNet features tell classes apart, which SAM's do not; the model
that the user names sharpens the prior with its decoder.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.loading import compact_eye
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import sharpen
from kiridashi.reference.instances import LABEL, ObjectSize, split_instances, whole_object
from kiridashi.reference.presence import calibrate, judge
from kiridashi.reference.prior.estimator import PriorEstimator
from kiridashi.reference.prior.evidence import Example, View, look
from kiridashi.reference.saving import load_state, save_state

NAME = "prototype"
# Refitting without one reference at a time is worth its cost for this many at most.
MOST_LEFT_OUT = 8
# Chosen on made-up sites held aside (`training.prior.presence` prints what it keeps and refuses).
DEFAULT_THRESHOLD = 0.25


class Prototype:
    """Reference segmentation by similarity and appearance.

    Args:
        model: sharpens the prior with its decoder.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects and verify each; off, it stays one segment.
        seed: of the appearance forest's sampling.

    Attributes:
        prior_: fitted to references and negatives.
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
        """Learn from 1..K references; a negative, or its marked part, is background.

        Raises:
            UsageError: no reference.
        """
        if not references:
            raise UsageError("prototype needs at least one reference picture with its mask")
        shown = [Example(self.look(r.picture), r.mask) for r in references]
        refused = [Example(self.look(n.picture), None, n.mask) for n in negatives]
        self.size_ = ObjectSize.of([reference.mask for reference in references])
        self.prior_ = PriorEstimator(self.seed).fit([*shown, *refused])
        self.threshold_ = self._calibrate(shown, refused)
        return self

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the verdict."""
        if not hasattr(self, "prior_"):
            raise UsageError("predict came before fit; call fit with the references first")
        prior = self.prior_.predict(self.look(picture))
        verdict = judge(prior.presence, self.threshold_)
        provenance = {"method": NAME, "model": self.model.card.name}
        shown = verdict if self.verdict else None
        if self.verdict and not verdict.present:
            return Segments(picture.size, (), shown, provenance | {"refinement": "none (absent)"})
        sharp = sharpen(self.model, picture, prior.map)
        if self.instances:
            found = split_instances(sharp.probability, self.size_, LABEL)
        else:
            found = whole_object(sharp.probability, LABEL)
        return Segments(picture.size, tuple(found), shown, provenance | {"refinement": sharp.how})

    def look(self, picture: Picture) -> View:
        """What the prior needs of a picture, seen with the compact model's trunk."""
        return look(compact_eye(self.model), picture)

    def save(self, path: Path) -> None:
        """Write the learned state."""
        if not hasattr(self, "prior_"):
            raise UsageError("save came before fit; call fit with the references first")
        facts = {
            "seed": self.prior_.seed,
            "threshold": self.threshold_,
            "typical": self.size_.typical,
            "uniform": self.size_.uniform,
            "thickness": self.size_.thickness,
        }
        save_state(path, NAME, self.prior_.state(), facts)

    def load(self, path: Path) -> Self:
        """Take back a saved state.

        Raises:
            InputError: not a saved prototype method.
        """
        tensors, facts = load_state(path, NAME)
        self.prior_ = PriorEstimator(int(str(facts["seed"]))).restore(tensors)
        self.threshold_ = float(str(facts["threshold"]))
        self.size_ = ObjectSize(
            float(str(facts["typical"])), bool(facts["uniform"]), float(str(facts["thickness"]))
        )
        return self

    def _calibrate(self, shown: Sequence[Example], refused: Sequence[Example]) -> float:
        """The verdict's threshold from each example as judged by all the others."""
        present = self._left_out(shown, refused) if len(shown) > 1 else []
        # A negative of which only a part is marked may hold the object elsewhere: it tells nothing here.
        absent = self._left_out([one for one in refused if one.outside is None], shown)
        return calibrate(DEFAULT_THRESHOLD, present, absent)

    def _left_out(self, group: Sequence[Example], rest: Sequence[Example]) -> list[float]:
        """Presence of each of a group when the method learned from all examples but it."""
        scores = []
        for index, one in enumerate(group[:MOST_LEFT_OUT]):
            others = [*group[:index], *group[index + 1 :], *rest]
            scores.append(PriorEstimator(self.seed).fit(others).predict(one.view).presence)
        return scores
