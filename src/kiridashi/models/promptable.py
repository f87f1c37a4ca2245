"""The promptable model: encode a picture once, decode any number of prompts on it."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.catalogue import ModelCard, Part
from kiridashi.models.positions import keep_positions
from kiridashi.models.preprocess import to_input
from kiridashi.models.prompt_map import draw_prompts

if TYPE_CHECKING:
    from kiridashi.models.video import MemoryOptions, VideoSession

# Prompts decoded together: small batches stay in the cache and beat large ones on a CPU.
DECODE_BATCH = 16
# A probability of a prior becomes a logit within +-PRIOR_LOGIT, the range of the decoder's own masks.
PRIOR_LOGIT = 8.0
# Mask logits fed back are kept within this range, like those that SAM 2's own predictor returns.
PREVIOUS_LOGIT = 32.0
KEPT_PICTURES = 4


@dataclass(frozen=True, eq=False)
class Features:
    """What the image encoder makes of one picture.

    Attributes:
        levels: neck maps from fine to coarse, strides 4, 8, 16, projected for the decoder:
            (1, C/8, S/4, S/4), (1, C/4, S/8, S/8), (1, C, S/16, S/16).
        position: sine position code of the coarsest level, (1, C, S/16, S/16).
        trunk: trunk maps before the neck, from fine to coarse, (1, C_i, H_i, W_i) each.
        size: (height, width) of the picture.
    """

    levels: tuple[Tensor, ...]
    position: Tensor
    trunk: tuple[Tensor, ...]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Masks for N prompts, M each, as logits at the decoder's resolution.

    Attributes:
        logits: (N, M, S/4, S/4); above 0 is inside.
        iou: (N, M) predicted IoU.
        tokens: (N, M, C) mask tokens.
        object_score: (N,) logit that the object is there.
        size: (height, width) of the picture.
    """

    logits: Tensor
    iou: Tensor
    tokens: Tensor
    object_score: Tensor
    size: tuple[int, int]

    def best(self) -> Tensor:
        """(N,) index of the mask with the highest predicted IoU."""
        return self.iou.argmax(dim=1)

    def probability(self, prompt: int, mask: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """(H, W) probability at the picture's size."""
        return upscale(self.logits[prompt, mask], self.size).sigmoid().numpy()

    def mask(self, prompt: int, mask: int | None = None) -> Mask:
        """One mask at the picture's size; the best of the prompt when `mask` is None."""
        index = int(self.best()[prompt]) if mask is None else mask
        return Mask.from_array(upscale(self.logits[prompt, index], self.size).numpy() > 0)


def upscale(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W) logits at a picture's size from (h, w) ones."""
    return F.interpolate(logits[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]


class PromptableModel:
    """A checkpoint of the SAM 2 family behind one interface.

    Args:
        net: `Sam2VideoModel`, `Sam2Model` or their EdgeTAM kin, in eval mode.
        card: its model card.
    """

    def __init__(self, net: nn.Module, card: ModelCard) -> None:
        self.net: Any = net.eval().requires_grad_(False)
        keep_positions(self.net)
        self.card = card
        self._encoded: OrderedDict[str, Features] = OrderedDict()

    def require(self, part: Part, verb: str) -> None:
        """Refuse a job that rests on an untrained part.

        Raises:
            UsageError: names the part and what to do.
        """
        if part not in self.card.trained:
            raise UsageError(
                f"{verb} needs a trained {part.replace('_', ' ')}, which {self.card.name} does not have; "
                "name another model, for instance --model sam2.1-tiny"
            )

    def video(self, options: "MemoryOptions | None" = None) -> "VideoSession":
        """A session that follows objects through a video with a memory that does not grow.

        Raises:
            UsageError: the mask decoder or the memory is not trained, or an option does not fit the network.
        """
        from kiridashi.models.video.session import VideoSession

        self.require("mask_decoder", "following an object")
        self.require("memory", "following an object")
        return VideoSession(self, options)

    @torch.inference_mode()
    def encode(self, picture: Picture) -> Features:
        """Features of a picture; the last few pictures are kept, so asking again costs nothing.

        Several threads may encode at once.
        """
        key = picture.digest
        # Taken out and put back in one step each: several threads may encode pictures of their own.
        features = self._encoded.pop(key, None)
        if features is None:
            features = self.encode_input(to_input(picture, self.card), picture.size)
        self._encoded[key] = features
        while len(self._encoded) > KEPT_PICTURES:
            self._encoded.popitem(last=False)
        return features

    def forget(self) -> None:
        """Drop the kept encodings; for whoever changes the network's weights."""
        self._encoded.clear()

    @contextmanager
    def with_neck(self, neck: nn.Module) -> Iterator[None]:
        """Encode through another neck inside the block; neck and kept features come back at its end.

        Not for a model that several threads use at the same time.
        """
        encoder, own, kept = self.net.vision_encoder, self.net.vision_encoder.neck, self._encoded
        try:
            encoder.neck, self._encoded = neck, OrderedDict()
            yield
        finally:
            encoder.neck, self._encoded = own, kept

    def encode_input(self, pixels: Tensor, size: tuple[int, int]) -> Features:
        """Features of a (1, 3, S, S) input made by `to_input`; gradients flow if they are on."""
        encoder = self.net.vision_encoder
        trunk_maps: list[Tensor] = []
        # Another thread may be encoding through the same net.
        own = threading.get_ident()

        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if threading.get_ident() == own:
                trunk_maps.extend(_trunk_maps(output))

        hook = encoder.backbone.register_forward_hook(keep)
        try:
            output = encoder(pixels)
        finally:
            hook.remove()
        fine, middle, coarse = output.fpn_hidden_states
        decoder = self.net.mask_decoder
        levels = (decoder.conv_s0(fine), decoder.conv_s1(middle), coarse)
        return Features(levels, output.fpn_position_encoding[-1], tuple(trunk_maps), size)

    @torch.inference_mode()
    def decode(self, features: Features, prompts: Sequence[Prompt], multimask: bool = True) -> Decoded:
        """Masks for each prompt on one picture.

        Args:
            features: of the picture.
            prompts: at least one; any mixture of kinds.
            multimask: three masks a prompt, else the single one (or the most stable).
        """
        if not prompts:
            raise UsageError("decode needs at least one prompt")
        groups: dict[tuple[int, bool, bool], list[int]] = {}
        for index, prompt in enumerate(prompts):
            kind = len(prompt.points), prompt.box is not None, prompt.prior is not None
            groups.setdefault(kind, []).append(index)
        batches = [
            group[start : start + DECODE_BATCH]
            for group in groups.values()
            for start in range(0, len(group), DECODE_BATCH)
        ]
        parts = [self._decode_alike(features, [prompts[i] for i in batch], multimask) for batch in batches]
        order = torch.tensor([i for batch in batches for i in batch]).argsort()
        logits, iou, tokens, score = (torch.cat(column)[order] for column in zip(*parts, strict=True))
        return Decoded(logits, iou, tokens, score, features.size)

    @torch.inference_mode()
    def refine(self, features: Features, prompt: Prompt, rounds: int = 2) -> Decoded:
        """Decode, then feed the best mask's logits back as the mask prompt `rounds` times.

        SAM's iterative refinement (Kirillov et al., 2023, arXiv 2304.02643, appendix A): the first
        decode gives three masks if the prompt is ambiguous, each further one a single mask.
        """
        decoded = self.decode(features, [prompt], multimask=prompt.is_ambiguous)
        for _ in range(rounds):
            best = decoded.logits[:1, int(decoded.best()[0])][None]
            previous = best.clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
            decoded = Decoded(*self._decode_alike(features, [prompt], False, previous), features.size)
        return decoded

    @torch.inference_mode()
    def correct(
        self, features: Features, prompt: Prompt, previous: Tensor, multimask: bool = False
    ) -> Decoded:
        """Decode with an earlier mask of the same object as the mask prompt.

        What follows each correction click: the new prompt holds all clicks so far, as in SAM's training
        (Kirillov et al., 2023, arXiv 2304.02643, appendix A).

        Args:
            features: of the picture.
            prompt: its prior, if it has one, gives way to the earlier mask.
            previous: (S/4, S/4) mask logits, as in `Decoded.logits`; held within +-`PREVIOUS_LOGIT`.
            multimask: three masks, else the single one (or the most stable).
        """
        logits = previous.clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)[None, None]
        return Decoded(*self._decode_alike(features, [prompt], multimask, logits), features.size)

    def decode_alike(self, features: Features, prompts: Sequence[Prompt], multimask: bool = True) -> Decoded:
        """As `decode`, for prompts of one kind; gradients flow if they are on."""
        return Decoded(*self._decode_alike(features, prompts, multimask), features.size)

    def _decode_alike(
        self, features: Features, prompts: Sequence[Prompt], multimask: bool, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sparse, dense = self.embed_prompts(features.size, prompts, previous)
        many = (len(prompts), -1, -1, -1)
        masks, iou, tokens, score = self.net.mask_decoder(
            image_embeddings=self.image_embedding(features).expand(many),
            image_positional_embeddings=self.net.get_image_wide_positional_embeddings().expand(many),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=[level.expand(many) for level in features.levels[:-1]],
        )
        return masks[:, 0], iou[:, 0], tokens[:, 0], score[:, 0, 0]

    def image_embedding(self, features: Features) -> Tensor:
        """(1, C, S/16, S/16): the coarsest level as the decoder wants it for a picture without memory."""
        no_memory: Tensor = self.net.no_memory_embedding
        return features.levels[-1] + no_memory.view(1, -1, 1, 1)

    def embed_prompts(
        self, size: tuple[int, int], prompts: Sequence[Prompt], previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sparse (N, 1, T, C) and dense (N, C, S/16, S/16) embeddings of prompts of one kind.

        Where the model's card says so, the prompts are also drawn on the map that the dense ones are
        made of; see `prompt_map`.

        Args:
            size: (height, width) of the picture that the prompts' pixels refer to.
            prompts: all with the same number of points, all or none with a box, a prior.
            previous: (N, 1, S/4, S/4) mask logits, which take the place of the priors.
        """
        scale = torch.tensor([self.card.image_size / size[1], self.card.image_size / size[0]])
        points = labels = boxes = None
        if prompts[0].points:
            raw = torch.tensor([prompt.points for prompt in prompts], dtype=torch.float32)
            points, labels = raw[..., :2] * scale, raw[..., 2].int()
        if prompts[0].box is not None:
            corners = torch.tensor([prompt.box for prompt in prompts], dtype=torch.float32)
            boxes = corners * scale.repeat(2)
        masks = previous
        if masks is None and prompts[0].prior is not None:
            masks = torch.cat([self._prior_logits(prompt) for prompt in prompts])
        if self.card.draws_prompts:
            side = self.net.prompt_encoder.mask_input_size[0]
            masks = draw_prompts(masks, points, labels, boxes, side)
        if points is None and boxes is None:
            points = torch.zeros(len(prompts), 1, 2)
            labels = -torch.ones(len(prompts), 1, dtype=torch.int32)
        # The second axis is for several prompts on one picture; there, they would share one map.
        points, labels, boxes = (None if one is None else one[:, None] for one in (points, labels, boxes))
        sparse, dense = self.net.prompt_encoder(
            input_points=points, input_labels=labels, input_boxes=boxes, input_masks=masks
        )
        return sparse, dense

    def _prior_logits(self, prompt: Prompt) -> Tensor:
        prior = torch.from_numpy(np.asarray(prompt.prior, dtype=np.float32))[None, None]
        logits = torch.logit(prior, eps=1e-6).clamp(-PRIOR_LOGIT, PRIOR_LOGIT)
        size = self.net.prompt_encoder.mask_input_size
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False, antialias=True)


def _trunk_maps(output: Any) -> list[Tensor]:
    """NCHW maps of a trunk: ours names them, Hiera gives NHWC tuples, EdgeTAM's trunk a list of NCHW."""
    named = getattr(output, "trunk_maps", None)
    if named is not None:
        return list(named)
    maps = getattr(output, "intermediate_hidden_states", None)
    if maps is not None:
        return [level.permute(0, 3, 1, 2) for level in maps]
    return list(output.last_hidden_state)
