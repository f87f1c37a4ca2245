"""The image stage: context, neck, prompt encoder and mask decoder on a frozen trunk."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.config import RunConfig
from training.image.corrections import corrected, previous_mask
from training.image.decoding import Masks, PromptBatch, WindowFeatures, decode, encode_windows
from training.image.items import ImageBatch, ImageItems, Item, Slot, collate
from training.image.losses import MaskLoss, mask_loss
from training.image.validation import Validation
from training.network import DECODER, ENCODER, make_network, parameters_of
from training.scenes import SceneMaker
from training.stage import Figures

# How often a prompt is followed by 0, 1, ... rounds with the mask before it, and of these rounds the share
# that gets no click, as in `refine`. Only the first and the last round are learned from.
ROUNDS = (0.4, 0.25, 0.15, 0.1, 0.1)
REFINED_SHARE = 0.2


class ImageStage:
    """See `training.stage.Stage`.

    Options: `window` (side of the windows in pixels, 256), `slots` (prompts a window, 4), `scenes`
    (weights of the kinds of scenes), `validation` (number of validation scenes, 64).

    Args:
        config: of the run.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        options = config.options
        self.net: Any = make_network(config.weights, config.seed).to(config.device)
        trunk = make_network(config.weights, config.seed).vision_encoder.backbone
        weights = options["scenes"]
        maker = SceneMaker(config.data, config.sources, weights, split="train")
        held = SceneMaker(config.data, config.sources, weights, split="validation")
        on_cpu = config.device == "cpu"
        self.items = ImageItems(
            maker,
            trunk if on_cpu else None,
            options.get("window", 256),
            options.get("slots", 4),
            config.batch,
            config.seed,
        )
        self._validation = Validation(held, trunk, options.get("validation", 64))

    def trained(self) -> dict[str, nn.Parameter]:
        """Everything that a picture passes but the trunk."""
        names = (*ENCODER, *DECODER, "no_memory_embedding", "memory_attention.layer_norm.")
        return parameters_of(self.net, names)

    def collate(self, items: Sequence[Item]) -> ImageBatch:
        """One batch."""
        return collate(items)

    def loss(self, batch: ImageBatch, step: int) -> tuple[Tensor, Figures]:
        """All prompts once, some of them once more with a correction."""
        rng = np.random.default_rng((self._config.seed, 2, step))
        device = self._config.device
        features = self._encode(batch)
        image = features.levels[-1] + self.net.no_memory_embedding.view(1, -1, 1, 1)
        losses: list[Tensor] = []
        ious: dict[str, list[float]] = {}
        for slot in batch.slots:
            slot = to_device(slot, device)
            masks = decode(self.net, features, image, slot.prompts)
            cost = _cost(masks, slot)
            losses.append(cost.total)
            ious.setdefault(_kind(slot.prompts), []).append(_chosen_iou(masks, cost))
            rounds = int(rng.choice(len(ROUNDS), p=ROUNDS))
            if rounds:
                again = self._follow(features, image, slot, masks, rounds, rng)
                masks = decode(self.net, features, image, again)
                cost = _cost(masks, slot)
                losses.append(cost.total)
                ious.setdefault("corrected", []).append(_chosen_iou(masks, cost))
        return torch.stack(losses).mean(), {kind: sum(found) / len(found) for kind, found in ious.items()}

    @torch.no_grad()
    def _follow(
        self,
        features: WindowFeatures,
        image: Tensor,
        slot: Slot,
        masks: Masks,
        rounds: int,
        rng: np.random.Generator,
    ) -> PromptBatch:
        """The prompt of the last of several rounds."""
        prompts, several = slot.prompts, _clicks(slot.prompts) <= 1
        for number in range(rounds):
            if number:
                masks, several = decode(self.net, features, image, prompts), False
            previous = previous_mask(masks, several)
            if rng.random() < REFINED_SHARE:
                prompts = replace(prompts, base=previous[:, None])
            else:
                prompts = corrected(prompts, previous, slot.truth, slot.counts)
        return prompts

    def validate(self) -> Figures:
        """Mean IoU by one click, a box and five clicks on held-out scenes in whole frames."""
        return self._validation.measure(self.net)

    def _encode(self, batch: ImageBatch) -> WindowFeatures:
        if batch.maps is None:
            with torch.no_grad():
                maps = self.net.vision_encoder.backbone.look(batch.pixels.to(self._config.device))
        else:
            maps = tuple(level.to(self._config.device) for level in batch.maps)
        return encode_windows(self.net, maps, batch.corners)


def to_device(slot: Slot, device: str) -> Slot:
    """The same slot on a device."""
    moved = (
        None if one is None else one.to(device)
        for one in (slot.prompts.points, slot.prompts.boxes, slot.prompts.base)
    )
    return Slot(PromptBatch(*moved), slot.truth.to(device), slot.counts.to(device))


def _cost(masks: Masks, slot: Slot) -> MaskLoss:
    return mask_loss(masks.logits, masks.iou, masks.score, slot.truth, slot.counts)


def _clicks(prompts: PromptBatch) -> int:
    return 0 if prompts.points is None else int(prompts.points.shape[1])


def _kind(prompts: PromptBatch) -> str:
    """What the log calls a prompt."""
    if prompts.base is not None:
        return "prior"
    if prompts.boxes is not None:
        return "box" if prompts.points is None else "box and clicks"
    return "click" if _clicks(prompts) == 1 else "clicks"


def _chosen_iou(masks: Masks, cost: MaskLoss) -> float:
    """True IoU of the mask with the highest predicted IoU of the three."""
    chosen = masks.iou[:, 1:].argmax(1) + 1
    return float(cost.iou.gather(1, chosen[:, None]).mean())
