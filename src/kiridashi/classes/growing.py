"""Classes learned one after another, and what each state of the list says of a picture.

To measure what later classes do to earlier ones: the proposals and embeddings of a picture are made once, and
every state judges the same ones. Nothing is written; the state is that of a registry after the same additions
without samples held aside, for here other pictures judge.
"""

from collections.abc import Sequence
from types import MappingProxyType

from kiridashi.classes.adding import Batch, embed_marked, embed_unmarked, proposed
from kiridashi.classes.detector import Detector, DetectorSettings
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.opening import classifier_of, thresholds_of
from kiridashi.classes.registry import RegistryState
from kiridashi.classes.samples import Marked
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments
from kiridashi.models.promptable import PromptableModel


class GrowingDetector:
    """A detector of each state of a growing list of classes.

    Args:
        model: its decoder draws the masks.
        settings: of the detectors.
        embedder: default: that of the model.
    """

    def __init__(
        self,
        model: PromptableModel,
        settings: DetectorSettings | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self._model, self._settings = model, settings
        self._embedder = embedder or Embedder(model)
        self._state = RegistryState(
            MappingProxyType({}),
            self._embedder.model_name,
            self._embedder.fingerprint,
            self._embedder.width,
            event=0,
        )
        self._detectors: list[Detector] = []

    def add(self, name: str, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> None:
        """Add a class from pictures in which it is marked; one sample a picture.

        Args:
            name: of the class, as it is.
            references: one or more.
            negatives: pictures without any class; they become background.

        Raises:
            UsageError: there is such a class, no reference, or background from a model whose mask decoder
                is not trained.
        """
        if name in self._state.classes:
            raise UsageError(f"there is a class named {name!r} already; choose another name")
        marked = [Marked(one.picture, one.mask) for one in references]
        background = embed_unmarked(self._model, self._embedder, [one.picture for one in negatives])
        batch = Batch(embed_marked(self._embedder, marked), background=background)
        self._state = proposed(self._state, name, batch)
        self._detectors.append(
            Detector(
                self._model,
                classifier_of(self._state),
                thresholds_of(self._state),
                self._settings,
                self._embedder,
            )
        )

    def answers(self, picture: Picture) -> list[Segments]:
        """The objects of a picture as they were named after each addition, in their order.

        Raises:
            UsageError: the model's mask decoder is not trained.
        """
        if not self._detectors:
            return []
        proposals = self._detectors[-1].propose(picture)
        return [one.select(picture.size, one.judge(proposals)) for one in self._detectors]
