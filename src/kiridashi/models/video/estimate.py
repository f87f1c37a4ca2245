"""The mask decoder in a video: one mask an object, from memory, from a prompt or as given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import PREVIOUS_LOGIT, Features, PromptableModel

# SAM 2's figures: the logit of an absent object, and those of a given mask outside and inside.
ABSENT = -1024.0
GIVEN_OUTSIDE, GIVEN_INSIDE = -10.0, 10.0


@dataclass(frozen=True, eq=False)
class Estimate:
    """Masks of N objects in one frame.

    Attributes:
        logits: (N, S/4, S/4).
        iou: (N,) predicted IoU.
        object_score: (N,) logit.
        pointer: (N, C) object pointer.
        full: (N, S, S) logits at the network's input size, what the memory encoder sees.
        guess: (N, S/4, S/4) logits of where each object would be if it were there.
    """

    logits: Tensor
    iou: Tensor
    object_score: Tensor
    pointer: Tensor
    full: Tensor
    guess: Tensor


@dataclass(frozen=True, eq=False)
class Recalled:
    """What a memory says about one object in a frame.

    Attributes:
        image: (1, C, S/16, S/16) coarsest level of the frame, with the memory read into it or without.
        prior: (1, 1, S/4, S/4) logits of where the object is, for memories that draw it; else None.
    """

    image: Tensor
    prior: Tensor | None = None


class Estimator:
    """Runs the decoder of a model for a video session.

    Args:
        model: whose decoder runs.
        multimask: follow the network's configuration; False always takes the single mask.
    """

    def __init__(self, model: PromptableModel, multimask: bool) -> None:
        self._model = model
        self._net: Any = model.net
        self._multimask = multimask and self._net.config.multimask_output_in_sam
        self._side = model.card.image_size
        self._position = self._net.get_image_wide_positional_embeddings()

    def from_memory(self, features: Features, recalled: Sequence[Recalled]) -> Estimate:
        """Where objects without a prompt are, from what their memories say (all with a prior or none)."""
        image = torch.cat([one.image for one in recalled])
        priors = [one.prior for one in recalled if one.prior is not None]
        sparse, dense = self._embed(len(image), torch.cat(priors) if priors else None)
        multimask = self._multimask_for(0) and self._net.config.multimask_output_for_tracking
        return self._decode(features, image, sparse, dense, multimask)

    def from_prompt(self, features: Features, prompt: Prompt) -> Estimate:
        """One object by points, box or prior, without a look at its memory, as SAM 2 does."""
        sparse, dense = self._model.embed_prompts(features.size, [prompt])
        count = len(prompt.points) + (2 if prompt.box is not None else 0)
        image = self._model.image_embedding(features)
        return self._decode(features, image, sparse, dense, self._multimask_for(count))

    def corrected(self, features: Features, prompt: Prompt, recalled: Recalled) -> Estimate:
        """One object by points that correct what its memory says, which goes in as the earlier mask.

        So does SAM 2's published predictor with clicks on a frame to which it has followed the object.
        A click alone would ask for the nearest thing instead: far too little of the object, or, beside
        it, something else.
        """
        remembered = self.from_memory(features, [recalled])
        previous = remembered.guess[:, None].clamp(-PREVIOUS_LOGIT, PREVIOUS_LOGIT)
        sparse, dense = self._model.embed_prompts(features.size, [prompt], previous)
        multimask = self._multimask_for(len(prompt.points)) and self._net.config.multimask_output_for_tracking
        return self._decode(features, recalled.image, sparse, dense, multimask)

    def from_mask(self, features: Features, mask: Mask) -> Estimate:
        """A given mask taken as the truth; the decoder is only asked for the object pointer."""
        inside = _to_square(mask, self._side)
        full = GIVEN_OUTSIDE + (GIVEN_INSIDE - GIVEN_OUTSIDE) * inside
        low_size = self._net.prompt_encoder.mask_input_size
        low = F.interpolate(full, size=low_size, mode="bilinear", align_corners=False, antialias=True)
        sparse, dense = self._embed(1, self._net.mask_downsample(inside))
        decoded = self._decode(features, features.levels[-1], sparse, dense, True)
        present = inside.flatten(1).any(dim=1)
        score = torch.where(present, GIVEN_INSIDE, GIVEN_OUTSIDE)
        pointer = torch.where(present[:, None], decoded.pointer, self._net.no_object_pointer)
        return Estimate(low[:, 0], torch.ones(1), score, pointer, full[:, 0], low[:, 0])

    def _multimask_for(self, points: int) -> bool:
        config = self._net.config
        return bool(self._multimask and config.multimask_min_pt_num <= points <= config.multimask_max_pt_num)

    def _embed(self, count: int, masks: Tensor | None) -> tuple[Tensor, Tensor]:
        """Prompt embeddings of objects without points; SAM 2 fills in one that is none."""
        points = torch.zeros(count, 1, 1, 2)
        labels = -torch.ones(count, 1, 1, dtype=torch.int32)
        sparse, dense = self._net.prompt_encoder(
            input_points=points, input_labels=labels, input_boxes=None, input_masks=masks
        )
        return sparse, dense

    def _decode(
        self, features: Features, image: Tensor, sparse: Tensor, dense: Tensor, multimask: bool
    ) -> Estimate:
        count = len(image)
        masks, iou, tokens, score = self._net.mask_decoder(
            image_embeddings=image,
            image_positional_embeddings=self._position.expand(count, -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=[level.expand(count, -1, -1, -1) for level in features.levels[:-1]],
        )
        rows, best = torch.arange(count), iou[:, 0].argmax(dim=1)
        score = score[:, 0, 0]
        present = score > 0
        guess = masks[rows, 0, best]
        logits = torch.where(present[:, None, None], guess, ABSENT)
        pointer = self._net.object_pointer_proj(tokens[rows, 0, best])
        pointer = torch.where(present[:, None], pointer, self._net.no_object_pointer)
        side = (self._side, self._side)
        full = F.interpolate(logits[:, None], size=side, mode="bilinear", align_corners=False)[:, 0]
        return Estimate(logits, iou[rows, 0, best], score, pointer, full, guess)


def _to_square(mask: Mask, side: int) -> Tensor:
    """(1, 1, side, side) of zeros and ones; a mask too small to survive the resize keeps what it touches."""
    inside = torch.from_numpy(mask.to_array())[None, None].float()
    if mask.size == (side, side):
        return inside
    share = F.interpolate(inside, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    kept = share >= 0.5
    return (kept if kept.any() else share > 0).float()
