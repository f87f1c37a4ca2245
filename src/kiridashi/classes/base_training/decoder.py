"""Tune the mask decoder on the objects of a data set, on features that are encoded once and kept.

SAM-IF tunes the decoder on the base classes and freezes it for all that is added later. The encoders stay
as they are, so that their features can wait on the disk, in half precision.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.base_training.coco_set import InstanceSet, Sample
from kiridashi.classes.base_training.gathering import LEAST_AREA, Progress
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.base_training.sampling import BACKGROUND, draw_points
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.prompt import Prompt
from kiridashi.data.atomic import write_bytes
from kiridashi.data.tensors import read_tensors
from kiridashi.models.mask_loss import mask_loss
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.resuming import Resuming

# Points on objects in a step; one picture a step.
POINTS = 16
# Every tenth picture is kept aside and says whether the tuned decoder is better.
ASIDE_EVERY = 10
MOST_ASIDE = 50


@dataclass(frozen=True)
class DecoderResult:
    """What tuning brought.

    Attributes:
        before: loss on pictures kept aside, untuned.
        after: the same of the best decoder seen.
        best_step: that it is of; 0: the untuned one was the best.
    """

    before: float
    after: float
    best_step: int


def tune_decoder(
    model: PromptableModel,
    dataset: InstanceSet,
    options: BaseOptions,
    progress: Progress,
    folder: Path,
) -> DecoderResult:
    """Tune the mask decoder of a model in place; it ends as the best one seen, or as it was.

    Args:
        model: its decoder is changed; nothing else is.
        dataset: every tenth picture is not learned from.
        options: of the run.
        progress: told ("decoder", steps done, steps).
        folder: of this data set, model and options only, for features and the checkpoint.

    Raises:
        UsageError: the decoder is not trained, there are too few pictures, or the loss is no number.
        InputError: a sample cannot be used, or what the folder holds is damaged.
    """
    model.require("mask_decoder", "tuning the decoder")
    aside = range(0, len(dataset), ASIDE_EVERY)[:MOST_ASIDE]
    learned = sorted(set(range(len(dataset))) - set(aside))
    if not learned:
        raise UsageError(f"tuning the decoder needs 2 pictures or more, got {len(dataset)}")
    source = _Source(model, dataset, options, folder)
    decoder = model.net.mask_decoder.requires_grad_(True)
    optimiser = torch.optim.AdamW(decoder.parameters(), options.decoder_rate)
    try:
        return _tune(source, decoder, optimiser, learned, aside, progress)
    finally:
        decoder.requires_grad_(False)


def _tune(
    source: "_Source",
    decoder: torch.nn.Module,
    optimiser: torch.optim.AdamW,
    learned: Sequence[int],
    aside: Sequence[int],
    progress: Progress,
) -> DecoderResult:
    options = source.options
    state = Resuming(decoder, optimiser, source.folder / "decoder.safetensors")
    best = copy.deepcopy(decoder.state_dict())
    before = source.mean_loss(aside)
    facts: dict[str, float] = {"step": 0, "best_step": 0, "before": before, "after": before}
    facts, best = state.resume(facts, best)
    while facts["step"] < options.decoder_steps:
        step = int(facts["step"])
        order = np.random.default_rng([options.seed, step // len(learned)]).permutation(learned)
        loss = source.loss(int(order[step % len(learned)]), step + 1)
        if loss is not None:
            if not loss.isfinite():
                raise UsageError(f"the decoder's loss is {loss.item()} at step {step}; lower decoder_rate")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        facts["step"] = step + 1
        if facts["step"] % options.check_every == 0 or facts["step"] == options.decoder_steps:
            reached = source.mean_loss(aside)
            if reached < facts["after"]:
                facts |= {"after": reached, "best_step": step + 1}
                best = copy.deepcopy(decoder.state_dict())
            state.write(facts, best)
        progress("decoder", step + 1, options.decoder_steps)
    decoder.load_state_dict(best)
    return DecoderResult(facts["before"], facts["after"], int(facts["best_step"]))


class _Source:
    """Losses of points of pictures whose features are on the disk."""

    def __init__(
        self,
        model: PromptableModel,
        dataset: InstanceSet,
        options: BaseOptions,
        folder: Path,
    ) -> None:
        self.options, self.folder = options, folder
        self._model, self._dataset = model, dataset

    @torch.no_grad()
    def mean_loss(self, indices: Sequence[int]) -> float:
        """Of the same points at every call; 0 where no picture has an object to learn from."""
        losses = [loss for index in indices if (loss := self.loss(index, 0)) is not None]
        return float(torch.stack(losses).mean()) if losses else 0.0

    def loss(self, index: int, draw: int) -> Tensor | None:
        """() loss of points in the objects of a picture; None where it has none to learn from.

        Args:
            index: of the picture.
            draw: number of the step: says which points.
        """
        sample = self._dataset[index]
        objects = [one.mask for one in sample.objects if one.mask.area >= LEAST_AREA]
        if not objects:
            return None
        rng = np.random.default_rng([self.options.seed, index, draw])
        points = draw_points(objects, sample.unknown, 2 * POINTS, rng)
        # What lies on the background has no mask to learn: those points train the classifier alone.
        inside = rng.permutation(np.flatnonzero(points.owners != BACKGROUND))[:POINTS]
        prompts = [Prompt(points=((x, y, 1),)) for x, y in points.places[inside].tolist()]
        logits, iou = _decode(self._model, self._features(index, sample), prompts)
        shares = [_at(mask, logits.shape[-2:]) for mask in objects]
        truth = torch.stack([shares[owner] for owner in points.owners[inside].tolist()])
        known = 1 - _at(sample.unknown, logits.shape[-2:])
        return mask_loss(logits, iou, truth, known)

    def _features(self, index: int, sample: Sample) -> Features:
        place = self.folder / "features" / f"{index:07d}.safetensors"
        if not place.is_file():
            with torch.no_grad():
                seen = self._model.encode_input(
                    to_input(sample.picture, self._model.card), sample.picture.size
                )
            levels = {str(number): level.half().contiguous() for number, level in enumerate(seen.levels)}
            write_bytes(place, save(levels))
        tensors, _ = read_tensors(place)
        maps = tuple(tensors[str(number)].float() for number in range(len(tensors)))
        return Features(maps, torch.empty(0), (), sample.picture.size)


def _decode(model: PromptableModel, features: Features, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """(N, 3, h, w) logits and (N, 3) predicted IoU, with gradients to the decoder."""
    with torch.no_grad():
        sparse, dense = model.embed_prompts(features.size, prompts)
    many = (len(prompts), -1, -1, -1)
    masks, iou, _, _ = model.net.mask_decoder(
        image_embeddings=model.image_embedding(features).expand(many),
        image_positional_embeddings=model.net.get_image_wide_positional_embeddings().expand(many),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        high_resolution_features=[level.expand(many) for level in features.levels[:-1]],
    )
    return masks[:, 0], iou[:, 0]


def _at(mask: Mask, grid: Sequence[int]) -> Tensor:
    """(h, w) float 0 or 1 of a mask at the decoder's resolution."""
    full = torch.from_numpy(mask.to_array()).float()[None, None]
    size = (grid[0], grid[1])
    return (F.interpolate(full, size=size, mode="bilinear", antialias=True)[0, 0] > 0.5).float()
