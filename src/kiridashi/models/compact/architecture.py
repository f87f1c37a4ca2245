"""The compact model's sizes, as a `Sam2VideoConfig` of transformers."""

from typing import Any

from transformers import Sam2VideoConfig

from kiridashi.models.compact.context import COARSE_WIDTH, MIDDLE_WIDTH
from kiridashi.models.compact.trunk import CompactTrunkConfig, register_compact_trunk

IMAGE_SIZE = 512
WIDTH = 128
MEMORY_WIDTH = 64
# The neck lists channels from coarse to fine: strides 32, 16, 8, 4.
NECK_CHANNELS = [320, COARSE_WIDTH, MIDDLE_WIDTH, 24]


def compact_config(image_size: int = IMAGE_SIZE) -> Any:
    """The configuration for square inputs of `image_size` pixels (a multiple of 32)."""
    register_compact_trunk()
    if image_size % 32:
        raise ValueError(f"image_size must be a multiple of 32, got {image_size}")
    strides = (4, 8, 16)
    grid = image_size // 16
    return Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": CompactTrunkConfig(image_size=image_size).to_dict(),
            "backbone_channel_list": NECK_CHANNELS,
            "backbone_feature_sizes": [[image_size // s, image_size // s] for s in strides],
            "fpn_hidden_size": WIDTH,
            "fpn_top_down_levels": [2, 3],
            "num_feature_levels": len(strides),
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": image_size, "patch_size": 16},
        mask_decoder_config={"hidden_size": WIDTH, "mlp_dim": 4 * WIDTH, "iou_head_hidden_dim": WIDTH},
        image_size=image_size,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=4 * WIDTH,
        memory_attention_rope_feat_sizes=[grid, grid],
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=MEMORY_WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=4 * WIDTH,
    )
