"""Small networks with lively random weights, so that tests of the models need no download.

Fresh weights of these classes are too tame to test with: many embeddings start at zero and masks
hover around a logit of 0. Here every part of the network has a say and masks cover a part of the picture.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, Sam2VideoConfig, Sam2VideoModel

from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import ModelCard
from kiridashi.models.compact.architecture import compact_config
from kiridashi.models.promptable import PromptableModel

# The stock video session only works where an object pointer is wider than a memory token.
WIDTH = 128
MEMORY_WIDTH = 64
Builder = Callable[..., PromptableModel]


def _hiera_parts(image_size: int) -> dict[str, Any]:
    """The configuration that SAM 2 and EdgeTAM share: a Hiera of five blocks and a narrow decoder."""
    grid = image_size // 16
    return {
        "vision_config": {
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 16,
                "image_size": [image_size, image_size],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [16, 32, 64, 128],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [8, 4, 4, 2],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[4 * grid, 4 * grid], [2 * grid, 2 * grid], [grid, grid]],
            "fpn_hidden_size": WIDTH,
        },
        "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": image_size},
        "mask_decoder_config": {"hidden_size": WIDTH, "mlp_dim": 128, "iou_head_hidden_dim": 64},
        "image_size": image_size,
        "memory_attention_hidden_size": WIDTH,
        "memory_attention_num_layers": 2,
        "memory_attention_rope_feat_sizes": [grid, grid],
        "memory_encoder_hidden_size": WIDTH,
        "memory_encoder_output_channels": MEMORY_WIDTH,
        "mask_downsampler_embed_dim": WIDTH,
        "memory_fuser_embed_dim": WIDTH,
        "memory_fuser_intermediate_dim": 128,
    }


def _enliven(net: nn.Module, seed: int) -> nn.Module:
    """Give every parameter that starts at zero or tiny a seeded value of ordinary size."""
    generator = torch.Generator().manual_seed(seed)
    norms = {id(p) for m in net.modules() if isinstance(m, nn.LayerNorm) for p in m.parameters()}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if id(parameter) in norms:
                continue
            if name.endswith("weight") and parameter.ndim >= 2 and "embed" not in name:
                scale = (parameter[0].numel()) ** -0.5 * (1.4 if parameter.ndim == 4 else 1.0)
            else:
                scale = 0.02 if name.endswith("bias") else 0.5
            parameter.normal_(0, scale, generator=generator)
        # The position code is a buffer of chance; as in checkpoints, points and picture share one.
        code = torch.randn(2, WIDTH // 2, generator=generator)
        for name, buffer in net.named_buffers():
            if name.endswith("positional_embedding"):
                buffer.copy_(code)
    return net


def _card(name: str, family: str, image_size: int) -> ModelCard:
    return ModelCard(
        name=name,
        summary="random weights for tests",
        family=family,
        source=f"folder:{name}",
        licence="Apache-2.0",
        parameters=0,
        image_size=image_size,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def _settle(model: PromptableModel, object_score: float = 4.0) -> PromptableModel:
    """Make masks sharp (logits of a trained model's size) and objects present in most pictures."""
    decoder = model.net.mask_decoder
    with torch.no_grad():
        decoder.pred_obj_score_head.proj_out.bias.fill_(object_score)
    return model


@pytest.fixture(scope="session")
def make_sam2() -> Builder:
    """Builds a `Sam2VideoModel` with a small Hiera: make_sam2(image_size=128, seed=2)."""

    def build(image_size: int = 128, seed: int = 2, object_score: float = 4.0) -> PromptableModel:
        net = _enliven(Sam2VideoModel(Sam2VideoConfig(**_hiera_parts(image_size))), seed)
        return _settle(PromptableModel(net, _card("tiny-sam2", "sam2", image_size)), object_score)

    return build


@pytest.fixture(scope="session")
def make_compact() -> Builder:
    """Builds the compact architecture with random weights: make_compact(image_size=128, seed=2)."""

    def build(image_size: int = 128, seed: int = 2, object_score: float = 4.0) -> PromptableModel:
        net = _enliven(Sam2VideoModel(compact_config(image_size)), seed)
        return _settle(PromptableModel(net, _card("tiny-compact", "sam2", image_size)), object_score)

    return build


@pytest.fixture(scope="session")
def make_drawing(make_compact: Builder) -> Builder:
    """As make_compact, of models that draw their prompts on the mask-prompt map."""

    def build(image_size: int = 128, seed: int = 2, object_score: float = 4.0) -> PromptableModel:
        plain = make_compact(image_size, seed, object_score)
        with torch.no_grad():
            # Large as the features they are added to, or what is drawn has no say.
            plain.net.prompt_encoder.mask_embed.conv3.weight *= 4
        return PromptableModel(plain.net, replace(plain.card, name="tiny-drawing", draws_prompts=True))

    return build


@pytest.fixture(scope="session")
def make_edgetam() -> Builder:
    """Builds an `EdgeTamVideoModel` (spatial perceiver) over a small Hiera."""

    def build(image_size: int = 128, seed: int = 2, object_score: float = 4.0) -> PromptableModel:
        parts = _hiera_parts(image_size) | {
            "memory_attention_mlp_hidden_size": 128,
            "memory_attention_rope_k_sizes": [4, 4],
            "perceiver_resampler_num_latents": 16,
            "perceiver_resampler_num_latents_2d": 16,
            "perceiver_resampler_hidden_size": MEMORY_WIDTH,
        }
        net = _enliven(EdgeTamVideoModel(EdgeTamVideoConfig(**parts)), seed)
        return _settle(PromptableModel(net, _card("tiny-edgetam", "edgetam", image_size)), object_score)

    return build


@pytest.fixture(scope="session")
def tiny_sam2(make_sam2: Builder) -> PromptableModel:
    """A shared small SAM 2 at 128 pixels; do not change its weights."""
    return make_sam2()


@pytest.fixture(scope="session")
def tiny_compact(make_compact: Builder) -> PromptableModel:
    """A shared compact model with random weights at 128 pixels; do not change its weights."""
    return make_compact()


@pytest.fixture(scope="session")
def tiny_drawing(make_drawing: Builder) -> PromptableModel:
    """A shared compact model at 128 pixels that draws its prompts; do not change its weights."""
    return make_drawing()


@pytest.fixture(scope="session")
def tiny_edgetam(make_edgetam: Builder) -> PromptableModel:
    """A shared small EdgeTAM at 128 pixels; do not change its weights."""
    return make_edgetam()


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., list[Picture]]:
    """Builds a clip of a bright disc that moves over a still texture: make_clip(frames, size=(h, w))."""

    def build(frames: int, size: tuple[int, int] = (128, 128), seed: int = 0) -> list[Picture]:
        rng = np.random.default_rng(seed)
        height, width = size
        ground = rng.integers(0, 120, (-(-height // 8), -(-width // 8), 3)).repeat(8, 0).repeat(8, 1)
        ground = ground[:height, :width]
        rows, columns = np.mgrid[:height, :width]
        clip = []
        for index in range(frames):
            x, y = width * (0.3 + 0.02 * index), height * (0.4 + 0.1 * np.sin(index / 2))
            inside = (columns - x) ** 2 + (rows - y) ** 2 < (0.2 * min(size)) ** 2
            pixels = np.where(inside[..., None], (230, 200, 60), ground).astype(np.uint8)
            clip.append(Picture(pixels, name=f"frame-{index:03d}"))
        return clip

    return build
