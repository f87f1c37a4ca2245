"""A clip from frame to frame as `kiridashi.models.video` follows it, for B clips at once, with gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.models.promptable import PREVIOUS_LOGIT
from kiridashi.models.video.estimate import ABSENT, GIVEN_INSIDE, GIVEN_OUTSIDE
from kiridashi.models.video.memory import sine_code
from training.image.decoding import Masks, PromptBatch, WindowFeatures, decode
from training.image.stage import see
from training.image.windows import TOKEN

STRIDE = 4
# (frame, (B, 1, s, s) carried logits) -> what the decoder gets instead.
Spoiler = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Remembered:
    """One frame of B clips in memory.

    Attributes:
        time: index of the frame in the video.
        tokens: (B, L, D) spatial memory.
        pointer: (B, C) object pointer.
    """

    time: int
    tokens: Tensor
    pointer: Tensor


@dataclass(frozen=True, eq=False)
class Chosen:
    """The mask of each clip that the product would take.

    Attributes:
        logits: (B, s, s); -1024 everywhere where the object is absent.
        score: (B,) logit that the object is there.
        pointer: (B, C).
    """

    logits: Tensor
    score: Tensor
    pointer: Tensor


def unroll(
    net: Any,
    frames: list[WindowFeatures],
    given: Tensor,
    spoil: Spoiler | None = None,
    memory: bool = True,
    times: Sequence[int] | None = None,
) -> list[Masks]:
    """Follow the object of each clip from its mask in the first frame.

    Args:
        net: the compact network.
        frames: T features of B windows.
        given: (B, S, S) zeros and ones, the masks of the first frame.
        spoil: what is done to the carried mask before the decoder sees it.
        memory: whether it is read; without, only the carried mask tells where the object was.
        times: T rising indices of the frames in the video, 0 first; None: 0 .. T-1.

    Returns:
        The decoder's answers in frames 1 .. T-1.
    """
    times = range(len(frames)) if times is None else times
    first = take_given(net, frames[0], given)
    carried = first.logits[:, None]
    past = [write(net, frames[0], first, given, 0)] if memory else []
    answers = []
    for index, features in enumerate(frames[1:], start=1):
        image = read(net, features, past, times[index]) if memory else see(net, features, through_memory=True)
        base = carried.clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
        base = base if spoil is None else spoil(index, base)
        masks = decode(net, features, image, PromptBatch(None, None, base))
        answers.append(masks)
        chosen = choose(net, masks)
        # The mask is a picture to the next frame, not a way for its gradients.
        carried = chosen.logits.detach()[:, None]
        if memory and index + 1 < len(frames):
            inside = _enlarged(carried).sigmoid()[:, 0]
            past.append(write(net, features, chosen, inside, times[index]))
    return answers


def take_given(net: Any, features: WindowFeatures, given: Tensor) -> Chosen:
    """The first frame: the mask is the truth, the decoder is only asked for the pointer."""
    inside = given[:, None]
    low = F.interpolate(
        GIVEN_OUTSIDE + (GIVEN_INSIDE - GIVEN_OUTSIDE) * inside,
        scale_factor=1 / STRIDE,
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    masks = decode(net, features, features.levels[-1], PromptBatch(None, None, net.mask_downsample(inside)))
    pointer = net.object_pointer_proj(_best(masks.tokens, masks.iou))
    present = inside.flatten(1).any(dim=1)
    pointer = torch.where(present[:, None], pointer, net.no_object_pointer)
    return Chosen(low[:, 0], torch.where(present, GIVEN_INSIDE, GIVEN_OUTSIDE), pointer)


def choose(net: Any, masks: Masks) -> Chosen:
    """Of the three masks the one with the highest predicted IoU; nothing where the object is absent."""
    present = masks.score > 0
    logits = torch.where(present[:, None, None], _best(masks.logits, masks.iou), ABSENT)
    pointer = net.object_pointer_proj(_best(masks.tokens, masks.iou))
    pointer = torch.where(present[:, None], pointer, net.no_object_pointer)
    return Chosen(logits, masks.score, pointer)


def write(net: Any, features: WindowFeatures, chosen: Chosen, inside: Tensor, time: int) -> Remembered:
    """A frame's memory.

    Args:
        net: the compact network.
        features: of the frame.
        chosen: its masks.
        inside: (B, S, S) the same as probabilities at the window's size.
        time: index of the frame in the video.
    """
    config = net.config
    masks = inside[:, None] * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
    memory, _ = net.memory_encoder(features.levels[-1], masks)
    absent = (chosen.score <= 0).float().view(-1, 1, 1, 1)
    memory = memory + absent * net.occlusion_spatial_embedding_parameter[..., None, None]
    return Remembered(time, memory.flatten(2).mT, chosen.pointer)


def read(net: Any, features: WindowFeatures, past: list[Remembered], time: int) -> Tensor:
    """(B, C, h, w) the coarsest level with the memory of all earlier frames read into it.

    The library's memory attention is for the whole frame's grid of tokens; its layers take any grid.
    Rotary codes tell differences of places only, so a window's may start at 0.

    Args:
        net: the compact network.
        features: of the frame.
        past: the first frame, then the later ones; those too old for the network are left out.
        time: index of the frame in the video.
    """
    kept = [(0, past[0]), *((time - one.time, one) for one in past[1:])]
    kept = [(age, one) for age, one in kept if age < net.num_maskmem]
    spatial = _places(net, features)
    # Row `a` is the code of age `a`; SAM 2 keeps that of prompted frames in the last row.
    ages = net.memory_temporal_positional_encoding[:, 0, 0].roll(1, dims=0)
    tokens = [one.tokens for _, one in kept]
    codes = [spatial + ages[age] for age, _ in kept]
    pointers, pointer_codes = _pointers(net, past, time)
    coarse = features.levels[-1]
    attention = net.memory_attention
    queries = (coarse + 0.1 * features.place).flatten(2).mT[:, None]
    rotary = attention.rotary_emb(queries, _grid(coarse.shape[-2], coarse.shape[-1], coarse.device))
    for layer in attention.layers:
        queries = layer(
            queries=queries,
            keys=torch.cat([*tokens, pointers], dim=1)[:, None],
            key_point_embedding=torch.cat([*codes, pointer_codes], dim=1)[:, None],
            rope_position_embeddings=rotary,
            num_k_exclude_rope=pointers.shape[1],
        )
    attended: Tensor = attention.layer_norm(queries)[:, 0]
    return attended.mT.reshape(coarse.shape)


def _best(values: Tensor, iou: Tensor) -> Tensor:
    """Of (B, 4, ...) the one of the last three with the highest predicted IoU."""
    return values[torch.arange(len(iou), device=iou.device), 1 + iou[:, 1:].argmax(dim=1)]


def _enlarged(logits: Tensor) -> Tensor:
    return F.interpolate(logits, scale_factor=float(STRIDE), mode="bilinear", align_corners=False)


def _places(net: Any, features: WindowFeatures) -> Tensor:
    """(B, L, D) the memory's sine code of each window's tokens."""
    height, width = features.levels[-1].shape[-2:]
    rows, columns = net.prompt_encoder.image_embedding_size
    blank = torch.Size((1, net.mem_dim, rows, columns))
    whole = net.memory_encoder.position_encoding(blank, features.place.device, features.place.dtype)[0]
    cut = [whole[:, y : y + height, x : x + width] for x, y in (features.corners // TOKEN).tolist()]
    return torch.stack(cut).flatten(2).mT


def _pointers(net: Any, past: list[Remembered], time: int) -> tuple[Tensor, Tensor]:
    """(B, T', D) object pointers cut into tokens of the memory's width, and their codes."""
    config = net.config
    most = config.max_object_pointers_in_encoder
    kept = [past[0], *(one for one in past[1:] if time - one.time < most)]
    stacked = torch.stack([one.pointer for one in kept], dim=1)
    ages = torch.tensor([time - one.time for one in kept], dtype=torch.float32, device=stacked.device)
    parts = stacked.shape[-1] // net.mem_dim
    tokens = stacked.reshape(len(stacked), -1, net.mem_dim)
    if not config.enable_temporal_pos_encoding_for_object_pointers:
        return tokens, torch.zeros_like(tokens)
    share = ages / (most - 1)
    codes = net.temporal_positional_encoding_projection_layer(sine_code(share, stacked.shape[-1]))
    return tokens, codes.repeat_interleave(parts, dim=0).expand(len(tokens), -1, -1)


def _grid(height: int, width: int, device: torch.device) -> Tensor:
    """(h w, 2) x, y of each token."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=-1).to(device)
