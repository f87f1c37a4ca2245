"""Which classes a detector knows from the start, and which come later."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from kiridashi.core.errors import UsageError


@dataclass(frozen=True)
class Split:
    """Classes by when they are learned.

    Attributes:
        base: known from the start.
        novel: added later, in this order.

    Raises:
        UsageError: a class in both or twice, or none on one side.
    """

    base: tuple[str, ...]
    novel: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.base or not self.novel:
            raise UsageError("a split needs at least one base class and one novel class")
        twice = next((label for label in self.labels if self.labels.count(label) > 1), None)
        if twice is not None:
            raise UsageError(f"the class {twice!r} is named twice in the split; name it once, base or novel")

    @property
    def labels(self) -> tuple[str, ...]:
        """Base classes, then novel ones."""
        return self.base + self.novel

    def require(self, known: Collection[str], where: str) -> None:
        """Refuse a split that names a class that a set does not have.

        Raises:
            UsageError: with the nearest name that there is.
        """
        for label in self.labels:
            if label not in known:
                near = difflib.get_close_matches(label, known, n=1)
                hint = (
                    f"; did you mean {near[0]!r}?" if near else f"; it has: {', '.join(sorted(known)[:20])}"
                )
                raise UsageError(f"{where} has no class {label!r}{hint}")


# The twenty classes of COCO that PASCAL VOC has too are novel (iMTFA, section 4.1).
COCO_SPLIT = Split(
    base=(
        *("truck", "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "elephant"),
        *("bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
        *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard"),
        *("surfboard", "tennis racket", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana"),
        *("apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "bed"),
        *("toilet", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster"),
        *("sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
        "toothbrush",
    ),
    novel=(
        *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "boat", "bird", "cat"),
        *("dog", "horse", "sheep", "cow", "bottle", "chair", "couch", "potted plant", "dining table", "tv"),
    ),
)
