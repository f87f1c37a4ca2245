"""The video stage: the memory on a network that already knows pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.config import RunConfig
from training.image.decoding import WindowFeatures, encode_windows
from training.image.losses import mask_loss
from training.network import DECODER, MEMORY, make_network, parameters_of
from training.stage import Figures
from training.video.carried import WITHHELD, CarriedMasks
from training.video.clips import ClipMaker
from training.video.items import ClipBatch, ClipItem, ClipItems, collate
from training.video.unroll import unroll
from training.video.validation import Validation

VALIDATION_SIDE = 512
# Share of the steps without gaps in time, and the longest step in the others.
STEADY_SHARE = 0.5
LONGEST_STEP = 3


class VideoStage:
    """See `training.stage.Stage`.

    Options: `window` (side of the windows in pixels, 256), `frames` (of a clip, 5), `clips` (shares of
    the kinds of clips), `decoder` (also train prompt encoder and decoder, false), `validation` (number of
    validation clips, 24), `validation_frames` (of each, 8) and `validation_side` (512).

    Args:
        config: of the run.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        options = config.options
        self.net: Any = make_network(config.weights, config.seed)
        masks_to_logits(self.net)
        self.net.to(config.device)
        trunk = make_network(config.weights, config.seed).vision_encoder.backbone
        shares = options.get("clips")
        window, frames = options.get("window", 256), options.get("frames", 5)
        maker = ClipMaker(config.data, config.sources, shares, "train", window, frames)
        side, held_frames = (
            options.get("validation_side", VALIDATION_SIDE),
            options.get("validation_frames", 8),
        )
        held = ClipMaker(config.data, config.sources, shares, "validation", side, held_frames)
        self.items = ClipItems(maker, trunk if config.device == "cpu" else None, config.seed)
        self._validation = Validation(held, trunk, options.get("validation", 24))

    def trained(self) -> dict[str, nn.Parameter]:
        """The memory, and on demand the decoder."""
        decoder = DECODER if self._config.options.get("decoder", False) else ()
        return parameters_of(self.net, (*MEMORY, *decoder))

    def collate(self, items: Sequence[ClipItem]) -> ClipBatch:
        """One batch."""
        return collate(items)

    def loss(self, batch: ClipBatch, step: int) -> tuple[Tensor, Figures]:
        """Every frame after the first."""
        rng = np.random.default_rng((self._config.seed, 4, step))
        device = self._config.device
        truth, counts = batch.truth.to(device), batch.counts.to(device)
        carried = CarriedMasks(batch.others, rng)
        times = draw_times(batch.truth.shape[1], rng)
        answers = unroll(self.net, self._encode(batch), batch.given.to(device), carried, times=times)
        losses, ious = [], []
        for frame, masks in enumerate(answers, start=1):
            cost = mask_loss(masks.logits, masks.iou, masks.score, truth[:, frame], counts[:, frame])
            losses.append(cost.total)
            ious.append(cost.iou.gather(1, 1 + masks.iou[:, 1:].argmax(1, keepdim=True))[:, 0])
        per_clip = torch.stack(ious).mean(0).cpu().numpy()
        figures = {"iou": float(per_clip.mean())}
        if (withheld := carried.fates == WITHHELD).any():
            figures["withheld"] = float(per_clip[withheld].mean())
        return torch.stack(losses).mean(), figures

    def validate(self) -> Figures:
        """Mean IoU on held-out clips in whole frames, with the memory and without it."""
        return self._validation.measure(self.net)

    def _encode(self, batch: ClipBatch) -> list[WindowFeatures]:
        return encode_clips(self.net, batch.maps, batch.pixels, batch.corners, self._config.device)


def draw_times(frames: int, rng: np.random.Generator) -> list[int]:
    """Indices of a clip's frames in their video: at times some between them are missing.

    A short clip would never show the network the older half of the ages that it can tell apart.
    """
    if rng.random() < STEADY_SHARE:
        return list(range(frames))
    return [0, *(int(n) for n in np.cumsum(rng.integers(1, LONGEST_STEP + 1, frames - 1)))]


def masks_to_logits(net: Any) -> None:
    """Let the layer that prepares a given mask for the decoder write it as sure logits.

    transformers leaves this layer (`mask_downsample`) at random values; SAM 2 learns it. Here the decoder
    has learned what logits of a mask prompt mean, so that nothing needs to be learned.
    """
    from kiridashi.models.video.estimate import GIVEN_INSIDE, GIVEN_OUTSIDE

    layer = net.mask_downsample
    with torch.no_grad():
        layer.weight.fill_((GIVEN_INSIDE - GIVEN_OUTSIDE) / layer.weight[0].numel())
        layer.bias.fill_(GIVEN_OUTSIDE)


def encode_clips(
    net: Any, maps: tuple[Tensor, ...] | None, pixels: Tensor, corners: Tensor, device: str
) -> list[WindowFeatures]:
    """Features of each frame of B clips.

    Args:
        net: the compact network.
        maps: (B, T, C, H, W) each, or None to compute them.
        pixels: (B, T, 3, S, S).
        corners: (B, 2) in tokens.
        device: to compute on.
    """
    count, frames = pixels.shape[:2]
    if maps is None:
        with torch.no_grad():
            flat = net.vision_encoder.backbone.look(pixels.flatten(0, 1).to(device))
    else:
        flat = tuple(level.flatten(0, 1).to(device) for level in maps)
    whole = encode_windows(net, flat, corners.repeat_interleave(frames, dim=0))

    def at(values: Tensor, frame: int) -> Tensor:
        return values.view(count, frames, *values.shape[1:])[:, frame]

    fine, middle, coarse = whole.levels
    return [
        WindowFeatures(
            (at(fine, frame), at(middle, frame), at(coarse, frame)),
            at(whole.position, frame),
            at(whole.place, frame),
            at(whole.corners, frame),
        )
        for frame in range(frames)
    ]
