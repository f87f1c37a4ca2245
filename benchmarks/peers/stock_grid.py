"""SAM 2's automatic mask generator in its plain form, through transformers' own mask decoder.

The steps and defaults are those of the original (Ravi et al., 2024; points in batches of 64, one crop,
no least area): every mask of every point is upscaled to the picture, then come predicted IoU,
stability, boxes and box suppression. It is the yardstick for the fast grid, of its masks and of its time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.geometry.boxes import box_nms
from kiridashi.models.grid.settings import GridSettings
from kiridashi.models.prompt_map import draw_prompts
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.thresholds import GridThresholds

POINTS_PER_BATCH = 64


@dataclass(frozen=True, eq=False)
class StockMasks:
    """What the stock algorithm finds, best predicted IoU first.

    Attributes:
        masks: (N, H, W) bool.
        predicted_iou: (N,).
        stability: (N,).
        tokens: (N, C) mask tokens.
    """

    masks: Tensor
    predicted_iou: Tensor
    stability: Tensor
    tokens: Tensor


@torch.inference_mode()
def stock_grid(model: PromptableModel, features: Features, settings: GridSettings) -> StockMasks:
    """Segment everything the plain way.

    Args:
        model: any of the SAM 2 family.
        features: of the picture.
        settings: the model's thresholds where none are given; `skip_covered` and `batch` are not known here.
    """
    height, width = features.size
    limits = settings.thresholds(model.card.grid)
    side = (torch.arange(settings.points_per_side) + 0.5) / settings.points_per_side
    y, x = torch.meshgrid(side, side, indexing="ij")
    points = torch.stack([x.flatten(), y.flatten()], dim=1) * model.card.image_size
    parts = []
    for batch in torch.split(points, POINTS_PER_BATCH):
        logits, iou, tokens = decode_points(model, features, batch)
        full = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
        parts.append(_filter(full.flatten(0, 1), iou.flatten(), tokens.flatten(0, 1), settings, limits))
    masks, iou, stability, tokens = (torch.cat(column) for column in zip(*parts, strict=True))
    boxes = np.array([_box(mask) for mask in masks], dtype=np.float64).reshape(-1, 4)
    kept = box_nms(boxes, iou.numpy().astype(np.float64), settings.box_iou).tolist()
    return StockMasks(masks[kept], iou[kept], stability[kept], tokens[kept])


def decode_points(
    model: PromptableModel, features: Features, points: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 3, h, w) logits, (B, 3) predicted IoU and (B, 3, C) tokens of (B, 2) points in input pixels."""
    if model.card.draws_prompts:
        return _decode_drawn(model, features, points)
    net = model.net
    labels = torch.ones(1, len(points), 1, dtype=torch.int32)
    sparse, dense = net.prompt_encoder(
        input_points=points[None, :, None], input_labels=labels, input_boxes=None, input_masks=None
    )
    logits, iou, tokens, _ = net.mask_decoder(
        image_embeddings=model.image_embedding(features),
        image_positional_embeddings=net.get_image_wide_positional_embeddings(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        high_resolution_features=list(features.levels[:-1]),
    )
    return logits[0], iou[0], tokens[0]


def _decode_drawn(
    model: PromptableModel, features: Features, points: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """As `decode_points`, each point with a map of its own, which takes a batch of pictures."""
    net = model.net
    labels = torch.ones(len(points), 1, dtype=torch.int32)
    side = net.prompt_encoder.mask_input_size[0]
    sparse, dense = net.prompt_encoder(
        input_points=points[:, None, None],
        input_labels=labels[:, None],
        input_boxes=None,
        input_masks=draw_prompts(None, points[:, None], labels, None, side),
    )
    many = (len(points), -1, -1, -1)
    logits, iou, tokens, _ = net.mask_decoder(
        image_embeddings=model.image_embedding(features).expand(many),
        image_positional_embeddings=net.get_image_wide_positional_embeddings().expand(many),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        high_resolution_features=[level.expand(many) for level in features.levels[:-1]],
    )
    return logits[:, 0], iou[:, 0], tokens[:, 0]


def _filter(
    logits: Tensor, iou: Tensor, tokens: Tensor, settings: GridSettings, limits: GridThresholds
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    good = iou > limits.predicted_iou
    logits, iou, tokens = logits[good], iou[good], tokens[good]
    above = (logits > settings.stability_offset).sum(dim=(1, 2), dtype=torch.int32)
    below = (logits > -settings.stability_offset).sum(dim=(1, 2), dtype=torch.int32)
    stability = above / below
    stable = stability >= limits.stability
    return logits[stable] > 0, iou[stable], stability[stable], tokens[stable]


def _box(mask: Tensor) -> list[int]:
    """The last pixels, not the edges behind them, are the box's far sides, as in the original."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    if not len(rows):
        return [0, 0, 0, 0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])]
