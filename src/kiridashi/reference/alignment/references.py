"""The references that a neck is tuned on: checked, in an order of their own, and named by content."""

import hashlib
from collections.abc import Sequence

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.reference import Reference

# A mask that leaves less than this of its picture has no surroundings to tell the object from.
LEAST_BACKGROUND = 0.005


def reference_digest(reference: Reference) -> str:
    """SHA-256 over the pixels of a picture and its mask; names and paths do not count."""
    mask = reference.mask
    digest = hashlib.sha256(f"{reference.picture.digest} {mask.origin} {mask.bitmap.shape}".encode())
    digest.update(mask.bitmap.tobytes())
    return digest.hexdigest()


def in_order(references: Sequence[Reference]) -> list[tuple[str, Reference]]:
    """The references with their digests, sorted by them: a set of references has one result.

    Raises:
        UsageError: no reference.
        InputError: a mask is empty or covers (nearly) all of its picture.
    """
    if not references:
        raise UsageError("alignment needs at least one reference picture with its mask")
    for reference in references:
        _check(reference)
    return sorted(((reference_digest(one), one) for one in references), key=lambda pair: pair[0])


def _check(reference: Reference) -> None:
    name, mask = reference.picture.name, reference.mask
    if mask.is_empty:
        raise InputError(f"{name}: the reference mask is empty; mark at least one pixel")
    if mask.coverage > 1 - LEAST_BACKGROUND:
        raise InputError(
            f"{name}: the reference mask covers {mask.coverage:.1%} of the picture, so that there is nothing "
            "to tell the object from; mark the object only, or take a picture that shows its surroundings"
        )
