"""The memory of SAM 2: what is written after a frame and how it is read before the next.

Ravi et al., "SAM 2: Segment Anything in Images and Videos" (2024, arXiv 2408.00714), section 4. EdgeTAM
(Zhou et al. 2025, arXiv 2501.07256) differs in one step: a spatial perceiver squeezes the tokens of
each memory into fewer.
"""

from typing import Any

import torch
from torch import Tensor

from kiridashi.models.promptable import Features
from kiridashi.models.video.bank import ObjectBank
from kiridashi.models.video.estimate import Estimate, Recalled

# Of the sine code that tells the network how old an object pointer is.
SINE_BASE = 10_000.0


class AttentionMemory:
    """The memory encoder and the memory attention of a network, with their constants computed once.

    Args:
        net: `Sam2VideoModel` or `EdgeTamVideoModel`.

    Attributes:
        shape: (L, D) of the spatial memory of one frame.
        pointer_width: C of an object pointer.
        keeps_absent: True: SAM 2 has a learned code for "not here".
    """

    keeps_absent = True

    def __init__(self, net: Any) -> None:
        self._net = net
        self._perceiver = getattr(net, "spatial_perceiver", None)
        height, width = net.prompt_encoder.image_embedding_size
        blank = torch.zeros(1, net.mem_dim, height, width)
        _, spatial = self._tokens(blank)
        # Row `a` is the position code of a memory of age `a`; SAM 2 keeps that of age 0 in the last row.
        self._positions = spatial + net.memory_temporal_positional_encoding[:, 0].roll(1, dims=0)
        self.shape = (self._positions.shape[1], self._positions.shape[2])
        self.pointer_width: int = net.hidden_dim

    def write(self, features: Features, estimate: Estimate, prompted: bool) -> Tensor:
        """(N, L, D) spatial memories of N objects in a frame; masks of prompted objects are binarised."""
        config = self._net.config
        inside = (estimate.full > 0).float() if prompted else estimate.full.sigmoid()
        masks = inside[:, None] * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
        image = features.levels[-1].expand(len(masks), -1, -1, -1)
        memory, _ = self._net.memory_encoder(image, masks)
        occluded = self._net.occlusion_spatial_embedding_parameter
        if occluded is not None:
            absent = (estimate.object_score <= 0).float().view(-1, 1, 1, 1)
            memory = memory + absent * occluded[..., None, None]
        tokens, _ = self._tokens(memory)
        return tokens

    def read(self, features: Features, bank: ObjectBank, frame: int) -> Recalled:
        """The coarsest level of a frame with one object's memory read into it."""
        ages, memories = zip(*bank.spatial(frame), strict=True)
        pointers, pointer_positions = self._pointers(bank, frame)
        memory = torch.cat([*(tokens.float() for tokens in memories), pointers])
        positions = torch.cat([*self._positions[list(ages)], pointer_positions])
        extra = {} if self._perceiver is None else {"num_spatial_memory_tokens": len(memories)}
        coarse = features.levels[-1]
        attended: Tensor = self._net.memory_attention(
            current_vision_features=_to_sequence(coarse),
            current_vision_position_embeddings=_to_sequence(features.position),
            memory=memory[:, None],
            memory_posision_embeddings=positions[:, None],
            num_object_pointer_tokens=len(pointers),
            **extra,
        )
        return Recalled(attended.reshape(coarse.shape[-2] * coarse.shape[-1], -1).T.reshape(coarse.shape))

    def _tokens(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(N, L, D) tokens and their spatial position codes from (N, D, h, w) maps."""
        positions = self._net.memory_encoder.position_encoding(memory.shape, memory.device, memory.dtype)
        if self._perceiver is not None:
            # One by one: the library's perceiver cannot take a batch.
            pairs = zip(memory[:, None], positions[:, None], strict=True)
            tokens, codes = zip(*(self._perceiver(row, code) for row, code in pairs), strict=True)
            return torch.cat(tokens), torch.cat(codes)
        return memory.flatten(2).mT, positions.flatten(2).mT

    def _pointers(self, bank: ObjectBank, frame: int) -> tuple[Tensor, Tensor]:
        """Object pointers cut into tokens of the memory's width, (T, D), and their position codes."""
        ages, pointers = zip(*bank.pointing(frame), strict=True)
        width = self.shape[1]
        tokens = torch.stack(pointers).reshape(-1, width)
        config = self._net.config
        if not config.enable_temporal_pos_encoding_for_object_pointers:
            return tokens, torch.zeros_like(tokens)
        share = torch.tensor(ages, dtype=torch.float32) / (config.max_object_pointers_in_encoder - 1)
        codes = self._net.temporal_positional_encoding_projection_layer(sine_code(share, self.pointer_width))
        return tokens, codes.repeat_interleave(self.pointer_width // width, dim=0)


def _to_sequence(level: Tensor) -> Tensor:
    """(h w, 1, C) from (1, C, h, w)."""
    return level.flatten(2).permute(2, 0, 1)


def sine_code(values: Tensor, width: int) -> Tensor:
    """(n, width) sines and cosines of (n,) ages (Vaswani et al., 2017, section 3.5), sines first."""
    half = width // 2
    exponent = 2 * (torch.arange(half, device=values.device) // 2) / half
    angles = values[:, None] / SINE_BASE**exponent
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
