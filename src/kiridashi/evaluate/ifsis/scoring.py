"""The truth and the answers of a picture with instances, as COCO's measure takes them."""

from collections.abc import Sequence

from kiridashi.core.mask import Mask
from kiridashi.evaluate.ifsis.instances import Instance, MarkedPicture
from kiridashi.evaluate.metrics.average_precision import Shape, Target


def targets_of(marked: MarkedPicture, instances: Sequence[Instance]) -> tuple[Target, ...]:
    """The truth of a picture; instances without a pixel are left out."""
    return tuple(
        Target(Shape.of(marked.masks[one.number]), one.label, one.crowd)
        for one in instances
        if not marked.masks[one.number].is_empty
    )


def without_ignored(mask: Mask, ignore: Mask) -> Mask:
    """A prediction without the pixels that do not count; COCO's measure knows no such pixels."""
    if not mask.intersection(ignore):
        return mask
    return Mask.from_array(mask.to_array() & ~ignore.to_array())
