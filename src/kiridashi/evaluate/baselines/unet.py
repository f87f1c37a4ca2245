"""A small U-Net trained from scratch on the shots alone: what an engineer with PyTorch would try first."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.threads import one_thread

# Halvings of the resolution; the sides of what goes in are multiples of 2 ** LEVELS.
LEVELS = 3
# One picture in this many is held aside, from this number of shots on.
HELD_SHARE, LEAST_TO_HOLD = 4, 3


@dataclass(frozen=True)
class UNetOptions:
    """How the network is made and trained. The budget is of steps, so that equal seeds give equal weights.

    Attributes:
        width: channels at full resolution; twice as many at each halving.
        long_side: pictures are worked on at this longer side at most, pixels.
        crop: side of the squares that are learned from, pixels; a multiple of 8.
        batch: squares a step.
        steps: at most.
        rate: highest learning rate (AdamW); it rises for a tenth of the steps and falls as a cosine.
        first_check: step from which on what is held aside is looked at.
        check_every: steps between two looks.
        patience: looks without a gain after which the training stops.
    """

    width: int = 12
    long_side: int = 256
    crop: int = 96
    batch: int = 4
    steps: int = 300
    rate: float = 4e-3
    first_check: int = 120
    check_every: int = 20
    patience: int = 5


class SmallUNet(nn.Module):
    """Ronneberger et al., "U-Net", MICCAI 2015, with three halvings, batch norm and padded convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS + 1)]
        self.down = nn.ModuleList(
            _block(before, after) for before, after in zip([3, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(_block(below + beside, beside) for beside, below in pairwise(widths))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) standardised pixels to (B, 1, H, W) logits; H and W are multiples of 8."""
        kept: list[Tensor] = []
        for block in self.down:
            pixels = block(F.max_pool2d(pixels, 2) if kept else pixels)
            kept.append(pixels)
        for level in reversed(range(LEVELS)):
            larger = F.interpolate(pixels, scale_factor=2, mode="bilinear", align_corners=False)
            pixels = self.up[level](torch.cat([larger, kept[level]], dim=1))
        logits: Tensor = self.head(pixels)
        return logits


class UNet:
    """Trains on squares of the shots, turned, mirrored, scaled and changed in colour.

    Half of the squares are cut around the object. Loss: binary cross-entropy and soft Dice. From three
    shots on, one in four is held aside, and the weights with the lowest loss on it are kept, which may end
    the training early; with fewer shots the last weights are kept. Pictures without the object, if any are
    given, are learned from as pictures whose mask is empty. Nothing is pretrained.

    Args:
        seed: of weights and squares.
        options: see `UNetOptions`.
    """

    def __init__(self, seed: int = 0, options: UNetOptions | None = None) -> None:
        self.seed = seed
        self.options = options

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Train.

        Raises:
            UsageError: there is no reference.
        """
        if not references:
            raise UsageError("fit needs at least one reference")
        options = self.options or UNetOptions()
        # Squares are too small for two threads to share.
        with torch.random.fork_rng(devices=[]), one_thread():
            torch.manual_seed(self.seed)
            shown = [_sample(one.picture, one.mask, options) for one in references]
            empty = [_sample(one.picture, None, options) for one in negatives if one.mask is None]
            held = len(shown) // HELD_SHARE or (len(shown) >= LEAST_TO_HOLD)
            learned, aside = shown[: len(shown) - held], shown[len(shown) - held :]
            self.net_, self.steps_ = _train(learned + empty, aside, options, self.seed)
        return self

    def predict(self, picture: Picture) -> Segments:
        """All pixels that are more likely the object than not, as one segment; none when there are none."""
        if not hasattr(self, "net_"):
            raise UsageError("predict before fit: call fit(references) first")
        pixels = _scaled(picture, (self.options or UNetOptions()).long_side)
        with torch.inference_mode():
            logits = _whole(self.net_, pixels)
            full = F.interpolate(logits, size=picture.size, mode="bilinear", align_corners=False)[0, 0]
        inside = (full > 0).numpy()
        mask = Mask.from_array(inside)
        if mask.is_empty:
            return Segments(picture.size)
        sure = float(torch.sigmoid(full)[torch.from_numpy(inside)].mean())
        return Segments(picture.size, (Segment(mask, sure, "object"),))


@dataclass(frozen=True, eq=False)
class _Sample:
    """(3, h, w) standardised pixels and (1, h, w) mask, at the working size."""

    pixels: Tensor
    mask: Tensor


def _train(
    learned: Sequence[_Sample], aside: Sequence[_Sample], options: UNetOptions, seed: int
) -> tuple[SmallUNet, int]:
    """The network in eval mode, and how many steps its weights took."""
    rng = np.random.default_rng(seed)
    net = SmallUNet(options.width).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=1e-4)
    best, lowest, best_step, since = None, math.inf, options.steps, 0
    for step in range(1, options.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * _share_of_rate(step, options.steps)
        drawn = (learned[int(rng.integers(len(learned)))] for _ in range(options.batch))
        squares = [_square(sample, options, rng) for sample in drawn]
        pixels, masks = (torch.stack(part) for part in zip(*squares, strict=True))
        optimiser.zero_grad(set_to_none=True)
        _loss(net(pixels), masks).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        is_look = step >= options.first_check and step % options.check_every == 0
        if aside and (is_look or step == options.steps):
            loss = _mean_loss(net.eval(), aside)
            net.train()
            since = 0 if loss < lowest else since + 1
            if loss < lowest:
                best, lowest, best_step = copy.deepcopy(net.state_dict()), loss, step
            if since >= options.patience:
                break
    if best is not None:
        net.load_state_dict(best)
    return net.eval(), best_step


def _square(sample: _Sample, options: UNetOptions, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A square of a picture with its mask, (3, crop, crop) and (1, crop, crop), changed at random."""
    height, width = sample.mask.shape[1:]
    inside = sample.mask[0].nonzero()
    if len(inside) and rng.random() < 0.5:
        y, x = (float(value) for value in inside[int(rng.integers(len(inside)))])
        y, x = y + rng.uniform(-0.3, 0.3) * options.crop, x + rng.uniform(-0.3, 0.3) * options.crop
    else:
        y, x = rng.uniform(0, height), rng.uniform(0, width)
    angle, scale = rng.uniform(-math.pi, math.pi), float(np.exp(rng.uniform(-0.35, 0.35)))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    # Output coordinates -1..1 to those of the picture.
    reach = options.crop / scale
    cos, sin = math.cos(angle) * reach, math.sin(angle) * reach
    theta = torch.tensor(
        [
            [flip * cos / width, -sin / width, 2 * x / width - 1],
            [flip * sin / height, cos / height, 2 * y / height - 1],
        ],
        dtype=torch.float32,
    )
    grid = F.affine_grid(theta[None], [1, 1, options.crop, options.crop], align_corners=False)
    # Mirrored beyond the edges; so is the mask, for both must agree.
    pixels = F.grid_sample(sample.pixels[None], grid, padding_mode="reflection", align_corners=False)[0]
    mask = F.grid_sample(sample.mask[None], grid, padding_mode="reflection", align_corners=False)[0]
    gain, shift = float(np.exp(rng.uniform(-0.25, 0.25))), rng.uniform(-0.3, 0.3, (3, 1, 1))
    noise = torch.from_numpy(rng.normal(0, 0.05, pixels.shape).astype(np.float32))
    return pixels * gain + torch.from_numpy(shift.astype(np.float32)) + noise, (mask > 0.5).float()


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    found = torch.sigmoid(logits)
    both = (found * masks).sum(dim=(1, 2, 3))
    dice = 1 - (2 * both + 1) / (found.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, masks) + dice.mean()


def _mean_loss(net: SmallUNet, aside: Sequence[_Sample]) -> float:
    """Unlike IoU it also tells apart networks that find nothing yet."""
    with torch.inference_mode():
        return float(np.mean([float(_loss(_whole(net, one.pixels), one.mask[None])) for one in aside]))


def _whole(net: SmallUNet, pixels: Tensor) -> Tensor:
    """(1, 1, h, w) logits of (3, h, w) pixels of any size."""
    height, width = pixels.shape[1:]
    side = 2**LEVELS
    padding = (0, -width % side, 0, -height % side)
    logits: Tensor = net(F.pad(pixels[None], padding, mode="replicate"))[..., :height, :width]
    return logits


def _sample(picture: Picture, mask: Mask | None, options: UNetOptions) -> _Sample:
    pixels = _scaled(picture, options.long_side)
    if mask is None:
        return _Sample(pixels, torch.zeros(1, *pixels.shape[1:]))
    full = torch.from_numpy(mask.to_array()).float()[None, None]
    small = F.interpolate(full, size=pixels.shape[1:], mode="area")[0]
    return _Sample(pixels, (small >= 0.5).float())


def _scaled(picture: Picture, long_side: int) -> Tensor:
    """(3, h, w) pixels about 0, the longer side at most `long_side`."""
    height, width = picture.size
    scale = min(1.0, long_side / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1).float()[None]
    if size != picture.size:
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=True)
    return (pixels[0] - 127.5) / 64


def _share_of_rate(step: int, steps: int) -> float:
    """Up for a tenth of the steps, then down as half a cosine."""
    warm = max(1, steps // 10)
    return (
        step / warm if step <= warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    )


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [
            nn.Conv2d(channels, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
