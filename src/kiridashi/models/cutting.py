"""Cut one object out of a picture by prompts, with the model's mask decoder."""

from types import MappingProxyType

from kiridashi.core.errors import InputError
from kiridashi.core.geometry.components import without_specks
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.closer_look import look_closer
from kiridashi.models.promptable import PromptableModel, upscale

LABEL = "object"
ROUNDS = 2
# Share of the object's largest part below which a part or a hole is a speck.
SPECK = 0.03


def cut(model: PromptableModel, picture: Picture, prompt: Prompt) -> Segments:
    """The object that a prompt means.

    The decoder refines its own mask (Kirillov et al., 2023, arXiv 2304.02643, appendix A); a model that
    draws prompts takes a closer look instead. Specks and pinholes go.

    Args:
        model: its encoder runs once a picture.
        picture: to cut from.
        prompt: in the picture's pixels.

    Returns:
        One segment scored by its predicted IoU, or none when the mask is empty; no verdict.

    Raises:
        UsageError: the model's mask decoder is not trained.
        InputError: a point or the whole box lies outside of the picture.
    """
    model.require("mask_decoder", "cut")
    _check_inside(picture, prompt)
    # What `compact` makes of its own mask again is no better (benchmarks/prompts.py).
    rounds = 0 if model.card.draws_prompts else ROUNDS
    decoded = model.refine(model.encode(picture), prompt, rounds)
    best = int(decoded.best()[0])
    logits = upscale(decoded.logits[0, best], picture.size)
    if model.card.draws_prompts:
        logits = look_closer(model, picture, prompt, logits)
    mask = without_specks(Mask.from_array(logits.numpy() > 0), SPECK)
    items = () if mask.is_empty else (Segment(mask, float(decoded.iou[0, best]), LABEL),)
    provenance = {"method": "cut", "masks": f"decoder of {model.card.name}"}
    return Segments(picture.size, items, provenance=MappingProxyType(provenance))


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
