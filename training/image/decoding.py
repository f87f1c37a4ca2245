"""The prompt encoder and the mask decoder for training: all four masks at once, on windows."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.models.prompt_map import draw_prompts
from training.image.windows import TOKEN


@dataclass(frozen=True, eq=False)
class PromptBatch:
    """B prompts of one layout, one a window.

    Attributes:
        points: (B, K, 3) x, y in window pixels and label, or None.
        boxes: (B, 4) in window pixels, or None.
        base: (B, 1, s, s) logits of a prior or of the previous mask, or None.
    """

    points: Tensor | None
    boxes: Tensor | None
    base: Tensor | None


@dataclass(frozen=True, eq=False)
class WindowFeatures:
    """B encoded windows.

    Attributes:
        levels: strides 4, 8, 16, projected for the decoder.
        position: (B, C, h, w) position code of the coarsest level's tokens, for the decoder.
        corners: (B, 2) x, y of each window in the frame, in input pixels.
    """

    levels: tuple[Tensor, Tensor, Tensor]
    position: Tensor
    corners: Tensor


@dataclass(frozen=True, eq=False)
class Masks:
    """The decoder's whole answer.

    Attributes:
        logits: (B, 4, s, s): the single mask, then the three.
        iou: (B, 4) predicted IoU.
        score: (B,) logit that the object is there.
    """

    logits: Tensor
    iou: Tensor
    score: Tensor


def encode_windows(net: Any, maps: tuple[Tensor, ...], corners: Tensor) -> WindowFeatures:
    """Features of windows from the frozen trunk's maps.

    Args:
        net: the compact network.
        maps: of `CompactTrunk.look`.
        corners: (B, 2) integer x, y of each window in the frame, in tokens.
    """
    encoder, decoder = net.vision_encoder, net.mask_decoder
    to_neck = encoder.backbone.join(maps).intermediate_hidden_states
    fine, middle, coarse, coarsest = (level.permute(0, 3, 1, 2) for level in to_neck)
    # The neck's convolutions come coarse first.
    on_coarsest, on_coarse, on_middle, on_fine = encoder.neck.convs
    joined = on_coarse(coarse) + F.interpolate(on_coarsest(coarsest), scale_factor=2.0, mode="nearest")
    height, width = joined.shape[-2:]
    code = net.get_image_wide_positional_embeddings()
    position = torch.stack([code[0, :, y : y + height, x : x + width] for x, y in corners.tolist()])
    levels = (_through(fine, on_fine, decoder.conv_s0), _through(middle, on_middle, decoder.conv_s1), joined)
    return WindowFeatures(levels, position, corners.to(joined.device) * TOKEN)


def _through(x: Tensor, first: Any, second: Any) -> Tensor:
    """Two 1 x 1 convolutions as one: the neck's wide fine maps need not be made to be narrowed again."""
    outer = second.weight[:, :, 0, 0]
    weight, bias = outer @ first.weight[:, :, 0, 0], outer @ first.bias + second.bias
    return F.conv2d(x, weight[:, :, None, None], bias)


def decode(net: Any, features: WindowFeatures, image: Tensor, prompts: PromptBatch) -> Masks:
    """All masks for one prompt a window.

    Args:
        net: the compact network.
        features: of the windows.
        image: (B, C, h, w) the coarsest level as the decoder is to see it.
        prompts: one a window.
    """
    sparse, dense = embed(net, features.corners, prompts, image.shape[-1] * 4)
    decoder = net.mask_decoder
    fixed = (decoder.obj_score_token, decoder.iou_token, decoder.mask_tokens)
    tokens = torch.cat([one.weight for one in fixed]).expand(len(image), 1, -1, -1)
    queries, keys = decoder.transformer(
        point_embeddings=torch.cat([tokens, sparse], dim=2),
        image_embeddings=image + dense,
        image_positional_embeddings=features.position,
        attention_similarity=None,
    )
    answer, count = queries[:, 0], decoder.num_mask_tokens
    fine, middle, _ = features.levels
    grid = keys.transpose(2, 3).reshape(image.shape)
    grid = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(grid) + middle))
    grid = decoder.activation(decoder.upscale_conv2(grid) + fine)
    heads = zip(decoder.output_hypernetworks_mlps, answer[:, 2 : 2 + count].unbind(1), strict=True)
    weights = torch.stack([head(token) for head, token in heads], dim=1)
    logits = (weights @ grid.flatten(2)).view(len(image), count, *grid.shape[-2:])
    score = decoder.pred_obj_score_head(answer[:, 0])[:, 0]
    return Masks(logits, decoder.iou_prediction_head(answer[:, 1]), score)


def embed(net: Any, corners: Tensor, prompts: PromptBatch, side: int) -> tuple[Tensor, Tensor]:
    """Sparse (B, 1, T, C) and dense (B, C, h, w) embeddings, as `PromptableModel.embed_prompts` has them."""
    points = labels = boxes = None
    if prompts.points is not None:
        points = (prompts.points[..., :2] + corners[:, None])[:, None]
        labels = prompts.points[..., 2].int()[:, None]
    if prompts.boxes is not None:
        boxes = (prompts.boxes + corners.repeat(1, 2))[:, None]
    if points is None and boxes is None:
        points = torch.zeros(len(corners), 1, 1, 2, device=corners.device)
        labels = -torch.ones(len(corners), 1, 1, dtype=torch.int32, device=corners.device)
    local = None if prompts.points is None else prompts.points[..., :2]
    local_labels = None if prompts.points is None else prompts.points[..., 2]
    drawn = draw_prompts(prompts.base, local, local_labels, prompts.boxes, side)
    sparse, dense = net.prompt_encoder(
        input_points=points, input_labels=labels, input_boxes=boxes, input_masks=drawn
    )
    return sparse, dense
