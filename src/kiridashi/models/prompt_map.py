"""Prompts drawn on one map: what a small decoder learns several times faster from than from tokens.

SAM's mask prompt is a map of logits at a quarter of the input's side (Kirillov et al., 2023, section
3). A model whose card says `draws_prompts` gets every prompt there too, beside its tokens: a box as a
filled rectangle, a click as a small bump, both over the prior or the previous mask where there is one.
"""

import torch
from torch import Tensor

# Input pixels to one cell of the map.
STRIDE = 4
BOX_LOGIT = 4.0
CLICK_LOGIT = 8.0
# Radius of a click's bump in cells: it changes at most 3 x 3 tokens of the dense embedding.
CLICK_RADIUS = 4.0


def draw_prompts(
    base: Tensor | None, points: Tensor | None, labels: Tensor | None, boxes: Tensor | None, side: int
) -> Tensor:
    """Draw prompts of N objects.

    Args:
        base: (N, 1, side, side) logits of a prior or of the previous mask; a box is not drawn over it.
        points: (N, K, 2) x, y in input pixels.
        labels: (N, K) 1 on the object, 0 beside it; other values are padding.
        boxes: (N, 4) x0, y0, x1, y1 in input pixels.
        side: of the map in cells.

    Returns:
        (N, 1, side, side) logits.
    """
    given = next(t for t in (base, points, boxes) if t is not None)
    centres = (torch.arange(side, dtype=torch.float32, device=given.device) + 0.5) * STRIDE
    if base is None:
        base = torch.zeros(len(given), 1, side, side, device=given.device)
        if boxes is not None:
            base = _fill_boxes(boxes, centres)[:, None]
    if points is None or labels is None:
        return base
    return _press_clicks(base[:, 0], points, labels, centres)[:, None]


def _fill_boxes(boxes: Tensor, centres: Tensor) -> Tensor:
    x0, y0, x1, y1 = boxes.float().T[:, :, None]
    across, down = (centres >= x0) & (centres <= x1), (centres >= y0) & (centres <= y1)
    inside = (down[:, :, None] & across[:, None, :]).float()
    filled: Tensor = inside * (2 * BOX_LOGIT) - BOX_LOGIT
    return filled


def _press_clicks(drawn: Tensor, points: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Blend one click after the other into (N, side, side) maps, so that the last one wins."""
    for place, label in zip(points.float().unbind(1), labels.unbind(1), strict=True):
        x, y = ((centres - place[:, axis, None]) / (STRIDE * CLICK_RADIUS) for axis in (0, 1))
        bump = (1 - x.square()[:, None, :] - y.square()[:, :, None]).clamp(min=0)
        bump = bump * ((label == 0) | (label == 1))[:, None, None]
        logit = (label.float() * 2 - 1) * CLICK_LOGIT
        drawn = drawn + bump * (logit[:, None, None] - drawn)
    return drawn
