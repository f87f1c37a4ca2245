"""`adapted`: as `prototype`, and a small network learned from the references themselves.

The prior of `prototype` is one of the things that the network reads. Several networks learn, each without a
share of the references, and answer together; what each says of the references that it has not seen tells
without bias whether learning has brought anything. If not, the answer is that of `prototype`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.loading import compact_eye
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import sharpen
from kiridashi.reference.adapted.fitting import Fitting, HeadGain, Progress, head_probability
from kiridashi.reference.adapted.material import see
from kiridashi.reference.adapted.options import HeadOptions
from kiridashi.reference.adapted.state import from_tensors, to_tensors
from kiridashi.reference.instances import LABEL, ObjectSize, split_instances, whole_object
from kiridashi.reference.presence import calibrate, judge
from kiridashi.reference.prior.estimator import PriorEstimator
from kiridashi.reference.prior.evidence import View, look
from kiridashi.reference.saving import load_state, save_state

NAME = "adapted"
# As in `prototype`, for a single reference.
DEFAULT_THRESHOLD = 0.25
ALONE = "as prototype (a single reference leaves nothing to measure learning on)"
HOW = {1.0: "learned head", 0.0: "as prototype (learning brought nothing)"}


class Adapted:
    """Reference segmentation by a network of the references' own.

    Args:
        model: sharpens the prior with its decoder where the base has a say.
        verdict: judge presence; off, the best guess is always given.
        instances: split the answer into objects; off, it stays one segment.
        seed: of all that is random.
        options: of the learning; None: the usual.
        progress: told (steps done, steps in all); None: nobody listens.

    Attributes:
        prior_: fitted to references and negatives.
        heads_: the networks.
        standard_: how what they read is standardised.
        gain_: what they brought, and their share in the answer.
        threshold_: of the presence verdict.
        size_: of the references' objects.
    """

    def __init__(
        self,
        model: PromptableModel,
        *,
        verdict: bool = True,
        instances: bool = True,
        seed: int = 0,
        options: HeadOptions | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.model = model
        self.verdict = verdict
        self.instances = instances
        self.seed = seed
        self.options = options
        self.progress = progress

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Learn from 1..K references; a negative, or its marked part, is background.

        Raises:
            UsageError: no reference.
            InputError: an empty mask.
        """
        if not references:
            raise UsageError("adapted needs at least one reference picture with its mask")
        for reference in references:
            if reference.mask.is_empty:
                raise InputError(f"{reference.picture.name}: the reference mask is empty; mark the object")
        options = self.options or HeadOptions()
        fitting = Fitting(self.model, self._look, options, self.seed, self.progress)
        learned = fitting.run(references, negatives)
        self.size_ = ObjectSize.of([reference.mask for reference in references])
        self.prior_, self.heads_, self.standard_ = learned.prior, learned.heads, learned.standard
        self.gain_ = learned.gain
        self.threshold_ = calibrate(DEFAULT_THRESHOLD, learned.present, learned.absent)
        return self

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the verdict."""
        if not hasattr(self, "heads_"):
            raise UsageError("predict came before fit; call fit with the references first")
        view = self._look(picture)
        prior = self.prior_.predict(view)
        verdict = judge(prior.presence, self.threshold_)
        provenance = {"method": NAME, "model": self.model.card.name}
        shown = verdict if self.verdict else None
        if self.verdict and not verdict.present:
            return Segments(picture.size, (), shown, provenance | {"refinement": "none (absent)"})
        share = self.gain_.share
        seen = see(view, picture, prior.map, self.standard_)
        own = head_probability(self.heads_, seen, picture.size) if share > 0 else None
        base = sharpen(self.model, picture, prior.map).probability if share < 1 or own is None else own
        probability = base if own is None else share * own + (1 - share) * base
        if self.instances:
            found = split_instances(probability, self.size_, LABEL)
        else:
            found = whole_object(probability, LABEL)
        refinement = HOW.get(share, "learned head and mask decoder") if self.heads_ else ALONE
        return Segments(picture.size, tuple(found), shown, provenance | {"refinement": refinement})

    def save(self, path: Path) -> None:
        """Write the learned state."""
        if not hasattr(self, "heads_"):
            raise UsageError("save came before fit; call fit with the references first")
        tensors = to_tensors(self.prior_.state(), self.heads_, self.standard_)
        facts = {
            "seed": self.prior_.seed,
            "threshold": self.threshold_,
            "size": vars(self.size_),
            "gain": vars(self.gain_),
        }
        save_state(path, NAME, tensors, facts)

    def load(self, path: Path) -> Self:
        """Take back a saved state.

        Raises:
            InputError: not a saved adapted method.
        """
        tensors, facts = load_state(path, NAME)
        try:
            prior, heads, standard = from_tensors(tensors)
            size, gain = dict(facts["size"]), dict(facts["gain"])  # type: ignore[call-overload]
            self.threshold_ = float(str(facts["threshold"]))
            self.size_ = ObjectSize(**size)
            self.gain_ = HeadGain(**gain)
            self.prior_ = PriorEstimator(int(str(facts["seed"]))).restore(prior)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path}: damaged ({error}); fit the references again") from error
        self.heads_, self.standard_ = heads, standard
        return self

    def _look(self, picture: Picture) -> View:
        return look(compact_eye(self.model), picture)
