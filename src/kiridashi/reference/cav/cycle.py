"""Choosing without labels: an answer that is right finds its way back to the reference.

The target with its answer becomes the reference, the reference the target; no bridge is used on the way
back, so that every answer is judged by the same means. Whether the object is there at all is not asked
here: the reference is known to hold it.
"""

from collections.abc import Mapping, Sequence
from statistics import mean

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.cav.pseudo_video import OBJECT, show_references

PLAIN = "none"


def cycle_iou(
    model: PromptableModel, target: Picture, answer: Mask, references: Sequence[Reference]
) -> float:
    """Mean IoU of the references' masks with what comes back from an answer, 0..1; 0 for an empty answer."""
    if answer.is_empty:
        return 0.0
    session = show_references(model, [Reference(target, answer)])
    backs = (session.step(one.picture, remember=False)[OBJECT].guessed for one in references)
    return mean(back.iou(one.mask) for back, one in zip(backs, references, strict=True))


def choose(cycles: Mapping[str, float], margin: float) -> str:
    """The bridge with the best cycle IoU; the plain pair unless it is beaten by the margin.

    Args:
        cycles: cycle IoU by the name of the bridge, at least one.
        margin: a bridge that beats the plain pair by less is not worth its trouble.
    """
    best = max(cycles, key=cycles.__getitem__)
    if PLAIN not in cycles:
        return best
    beaten = cycles[best] > cycles[PLAIN] and cycles[best] >= cycles[PLAIN] + margin
    return best if beaten else PLAIN
