"""Which labelled pictures are learned from, as far as the labels themselves say so."""

from collections.abc import Sequence
from dataclasses import dataclass

from kiridashi.core.errors import UsageError
from kiridashi.localize.labels.items import TEST, VAL, LabelledPicture


@dataclass(frozen=True)
class WeakSplit:
    """Labelled pictures in three parts.

    Attributes:
        train: learned from.
        aside: of the split `val`: never learned from; they say when to stop, and how often the labels come
            out right. Empty: the training draws a share.
        unseen: of the split `test`: training does not look at them.
    """

    train: tuple[LabelledPicture, ...]
    aside: tuple[LabelledPicture, ...] = ()
    unseen: tuple[LabelledPicture, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """What can be learned: the labels of `train`, in alphabetical order."""
        return tuple(sorted({label for item in self.train for label in item.labels}))


def by_split(items: Sequence[LabelledPicture]) -> WeakSplit:
    """Divide labelled pictures by the splits that the labels name; those without one are learned from.

    Args:
        items: of one label set.

    Raises:
        UsageError: nothing is left to learn from.
    """
    unseen = tuple(item for item in items if item.split == TEST)
    aside = tuple(item for item in items if item.split == VAL)
    train = tuple(item for item in items if item.split not in (VAL, TEST))
    if not train:
        raise UsageError(
            "the labels leave nothing to learn from: every picture is of the split val or test; "
            "mark some as train"
        )
    return WeakSplit(train, aside, unseen)
