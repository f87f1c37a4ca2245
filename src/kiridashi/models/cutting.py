"""Cut one object out of a picture by prompts, with the model's decoder or what stands in for it."""

from types import MappingProxyType

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.promptable import PromptableModel

LABEL = "object"


def cut(model: PromptableModel, picture: Picture, prompt: Prompt) -> Segments:
    """The object that a prompt means.

    A trained decoder refines its mask (Kirillov et al., 2023); its score is the predicted IoU. For a
    model whose decoder is not trained, GrabCut stands in: it has no estimate of its own, so its
    score is always 1.

    Args:
        model: its encoder runs once a picture.
        picture: to cut from.
        prompt: in the picture's pixels.

    Returns:
        One segment, or none when the mask is empty; no verdict. The provenance says who cut.

    Raises:
        InputError: a point or the whole box lies outside of the picture.
    """
    _check_inside(picture, prompt)
    if "mask_decoder" not in model.card.trained:
        from kiridashi.models.interim.grabcut import grabcut

        return _result(picture, grabcut(picture, prompt), 1.0, interim_note(model))
    decoded = model.refine(model.encode(picture), prompt)
    best = int(decoded.best()[0])
    return _result(
        picture, decoded.mask(0, best), float(decoded.iou[0, best]), f"decoder of {model.card.name}"
    )


def interim_note(model: PromptableModel) -> str:
    """Who cuts as long as the model's own decoder is not trained."""
    return f"interim: GrabCut; the decoder of {model.card.name} is not trained yet"


def _result(picture: Picture, mask: Mask, score: float, how: str) -> Segments:
    items = () if mask.is_empty else (Segment(mask, score, LABEL),)
    return Segments(picture.size, items, provenance=MappingProxyType({"method": "cut", "masks": how}))


def _check_inside(picture: Picture, prompt: Prompt) -> None:
    height, width = picture.size
    for x, y, _ in prompt.points:
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"the point {x:g},{y:g} lies outside of the picture of {width} x {height} pixels"
            )
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise InputError(
                f"the box {x0:g},{y0:g},{x1:g},{y1:g} lies outside of the picture "
                f"of {width} x {height} pixels"
            )
