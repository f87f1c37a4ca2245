"""Prompt embeddings of many single clicks: what they share, and what is each click's own."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiridashi.core.prompt import Prompt
from kiridashi.models.grid.token_change import TokenChange
from kiridashi.models.prompt_map import STRIDE, draw_prompts
from kiridashi.models.promptable import PromptableModel

# Cells of the mask-prompt map to a token: two convolutions of kernel and stride 2.
TOKEN_CELLS = 4
# A drawn click reaches one token to each side of its own.
REACH = 1
WINDOW = 2 * REACH + 1


@dataclass(frozen=True, eq=False)
class Clicks:
    """B clicks on the object.

    Attributes:
        sparse: (B, T, C) prompt tokens.
        dense: (1, C, h, w) dense embedding that all share.
        changes: what each click adds to it; None for a model that does not draw.
    """

    sparse: Tensor
    dense: Tensor
    changes: tuple[TokenChange | None, ...]


def embed_clicks(model: PromptableModel, points: NDArray[np.float64], size: tuple[int, int]) -> Clicks:
    """The embeddings that `embed_prompts` gives for each click alone, in the folded decoder's form.

    Args:
        model: whose prompt encoder.
        points: (B, 2) x, y in pixels, within the picture.
        size: (height, width) of the picture.
    """
    if not model.card.draws_prompts:
        sparse, dense = model.embed_prompts(size, [Prompt(points=((x, y, 1),)) for x, y in points])
        return Clicks(sparse[:, 0], dense[:1], (None,) * len(points))
    scale = model.card.image_size / torch.tensor([size[1], size[0]])
    return _embed_drawn(model, torch.from_numpy(points).float() * scale)


def _embed_drawn(model: PromptableModel, places: Tensor) -> Clicks:
    """For a model that draws its prompts, of (B, 2) points in input pixels."""
    encoder = model.net.prompt_encoder
    labels = torch.ones(len(places), 1, dtype=torch.int32)
    sparse, _ = encoder(
        input_points=places[:, None, None], input_labels=labels[:, None], input_boxes=None, input_masks=None
    )
    dense = encoder.mask_embed(torch.zeros(1, 1, *encoder.mask_input_size))
    # Only the cells about each click are drawn: a token sees no others.
    first = places.div(STRIDE * TOKEN_CELLS).floor().long() - REACH
    inside = places - first * (STRIDE * TOKEN_CELLS)
    drawn = draw_prompts(None, inside[:, None], labels, None, WINDOW * TOKEN_CELLS)
    added = encoder.mask_embed(drawn) - dense[..., :1, :1]
    height, width = encoder.image_embedding_size
    changes = tuple(
        _within(one, top, left, (height, width))
        for one, (left, top) in zip(added, first.tolist(), strict=True)
    )
    return Clicks(sparse[:, 0], dense, changes)


def _within(added: Tensor, top: int, left: int, grid: tuple[int, int]) -> TokenChange:
    """A change from a (C, WINDOW, WINDOW) one, less what lies outside the picture."""
    rows = slice(max(top, 0), min(top + WINDOW, grid[0]))
    columns = slice(max(left, 0), min(left + WINDOW, grid[1]))
    kept = added[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return TokenChange(kept.flatten(1), rows, columns, grid)
