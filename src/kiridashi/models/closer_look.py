"""A closer look: the object's surroundings fill the network's square, and the decoder answers once more.

What covers a tenth of a picture covers a tenth of the network's square too, and its outline has few logits.
The mean of both answers is taken: the first one knows the whole picture, the second one the outline.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Box, Prompt
from kiridashi.models.promptable import PREVIOUS_LOGIT, PromptableModel, upscale

# Sides of the window beside the longer side of the object, chosen on held-out training scenes.
SCALE = 2.0
# In pixels; a window of fewer shows nothing that the first answer did not see.
LEAST_SIDE = 96
# Of the picture; a window of more is no closer look.
MOST_SHARE = 0.7


@dataclass(frozen=True)
class Window:
    """A part of a picture: columns `left` to `right`, rows `top` to `bottom`, ends not included."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, box: Box, size: tuple[int, int]) -> "Window":
        """The square around a box, moved and cut to stay inside a picture of (height, width)."""
        height, width = size
        x0, y0, x1, y1 = box
        side = max(SCALE * max(x1 - x0, y1 - y0), LEAST_SIDE)
        across, down = round(min(side, width)), round(min(side, height))
        left = round(min(max((x0 + x1 - across) / 2, 0), width - across))
        top = round(min(max((y0 + y1 - down) / 2, 0), height - down))
        return cls(left, top, left + across, top + down)

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def picture(self, whole: Picture) -> Picture:
        """What the window shows."""
        return Picture(whole.pixels[self.top : self.bottom, self.left : self.right], whole.name)

    def prompt(self, whole: Prompt) -> Prompt | None:
        """Points and box as the window sees them; None when none of them is in it."""
        points = tuple(
            (x - self.left, y - self.top, label)
            for x, y, label in whole.points
            if self.left <= x < self.right and self.top <= y < self.bottom
        )
        box = None if whole.box is None else self._box(whole.box)
        return Prompt(points, box) if points or box else None

    def _box(self, box: Box) -> Box | None:
        x0, y0 = max(box[0] - self.left, 0.0), max(box[1] - self.top, 0.0)
        x1 = min(box[2], float(self.right)) - self.left
        y1 = min(box[3], float(self.bottom)) - self.top
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


@torch.inference_mode()
def look_closer(model: PromptableModel, picture: Picture, prompt: Prompt, logits: Tensor) -> Tensor:
    """Improve an answer by a second one on the object's surroundings.

    Costs an encoding of the window and one decode.

    Args:
        model: with a trained mask decoder.
        picture: that was answered on.
        prompt: that was answered.
        logits: (H, W) of the answer at the picture's size.

    Returns:
        (H, W) logits; the given ones when the mask is empty, fills most of the picture, or when no point
        and no box is near it.
    """
    mask = Mask.from_array(logits.numpy() > 0)
    if mask.is_empty:
        return logits
    window = Window.around(_extent(mask, prompt.box), picture.size)
    near = window.prompt(prompt)
    if near is None or window.area > MOST_SHARE * picture.size[0] * picture.size[1]:
        return logits
    shown = window.picture(picture)
    rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
    first = logits[rows, columns].clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
    low = model.net.prompt_encoder.mask_input_size
    previous = F.interpolate(first[None, None], size=low, mode="bilinear", antialias=True)[0, 0]
    decoded = model.correct(model.encode(shown), near, previous)
    closer = upscale(decoded.logits[0, 0], shown.size)
    joined = torch.full_like(logits, -PREVIOUS_LOGIT)
    joined[rows, columns] = (first + closer) / 2
    return joined


def _extent(mask: Mask, box: Box | None) -> Box:
    """The box around a mask, and around the box of the prompt."""
    x0, y0, x1, y1 = map(float, mask.box)
    if box is None:
        return x0, y0, x1, y1
    return min(x0, box[0]), min(y0, box[1]), max(x1, box[2]), max(y1, box[3])
