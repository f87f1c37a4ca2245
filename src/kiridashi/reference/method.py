"""What every reference method offers, whatever happens inside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segments


@runtime_checkable
class Method(Protocol):
    """Finds the object of the references in new pictures.

    The constructor only stores its arguments; what `fit` learns ends in an underscore. Equal
    inputs and seeds give equal results, and a prediction does not depend on those before it.
    """

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Learn from 1..K references and any number of negatives."""
        ...

    def predict(self, picture: Picture) -> Segments:
        """The object's instances in a picture, best first, with the presence verdict."""
        ...

    def save(self, path: Path) -> None:
        """Write the learned state to one safetensors file, atomically."""
        ...

    def load(self, path: Path) -> Self:
        """Take back a state that `save` wrote; the instance then predicts as the saved one did."""
        ...
