"""Whether the decoder does what its prompt says: asked for another place, it must answer differently."""

import numpy as np
from numpy.typing import NDArray

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PromptableModel

# Names of the figures.
HEEDING, FITTING = "heeding", "fitting"


def ask(model: PromptableModel, picture: Picture, mask: Mask) -> dict[str, float]:
    """Ask the decoder for the object, and for a place of the same shape where the object is not.

    Args:
        model: whose decoder is asked.
        picture: with the object.
        mask: of the object, not empty.

    Returns:
        fitting: IoU of the first answer with the object. heeding: how much of it is lost when the place is
        asked for instead, -1..1; near 0 the decoder answers the same whatever it is asked.
    """
    there = mask.to_array()
    elsewhere = moved_away(there)
    features = model.encode(picture)
    answers = [
        model.decode(features, [Prompt(prior=one.astype(np.float32))], multimask=False).mask(0, 0)
        for one in (there, elsewhere)
    ]
    fitting, strayed = (answer.iou(mask) for answer in answers)
    return {FITTING: fitting, HEEDING: fitting - strayed}


def moved_away(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A (H, W) mask moved, over the border and in again, to where it covers least of itself."""
    height, width = mask.shape
    ways = [(height // 2, 0), (0, width // 2), (height // 2, width // 2)]
    moved = [np.roll(mask, way, axis=(0, 1)) for way in ways]
    return min(moved, key=lambda one: int(np.count_nonzero(one & mask)))
