"""The transition stage: a small diffusion model of whatever a camera may see."""

from collections.abc import Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.reference.transition.design import Design, make_scheduler, make_unet
from training.config import RunConfig
from training.stage import Figures
from training.transition.crops import Crops

VALIDATION_SEED = 20_262
VALIDATION_BATCH = 32
PARTS = 4


class TransitionStage:
    """See `training.stage.Stage`.

    Options: `crops` (weights of the kinds of crops), `validation` (number of held-out crops, 256).

    Args:
        config: of the run.
        design: of the model; the default is what the package ships.
    """

    def __init__(self, config: RunConfig, design: Design | None = None) -> None:
        self._config, self._design = config, design or Design()
        options = config.options
        self.net: Any = make_unet(self._design, config.seed)
        if config.weights is not None:
            self.net.load_state_dict(load_file(config.weights))
        self.net.train().to(config.device)
        self._kept = make_scheduler(self._design).alphas_cumprod.to(config.device)

        def crops(split: str, seed: int) -> Crops:
            return Crops(config.data, config.sources, options["crops"], split, self._design.side, seed)

        self.items = crops("train", config.seed)
        self._held, self._count = crops("validation", VALIDATION_SEED), options.get("validation", 256)

    def trained(self) -> dict[str, nn.Parameter]:
        """The whole network."""
        return dict(self.net.named_parameters())

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        """(B, 3, side, side) uint8."""
        return torch.stack(list(items))

    def loss(self, batch: Tensor, step: int) -> tuple[Tensor, Figures]:
        """Mean squared error of the predicted noise at random timesteps."""
        generator = torch.Generator().manual_seed(_seed_of(self._config.seed, step))
        count, steps = len(batch), self._design.steps
        # One timestep of each part of the schedule: a smoother gradient than independent ones.
        places = (torch.arange(count) + torch.rand(count, generator=generator)) / count
        times = (places * steps).long().clamp(max=steps - 1)
        errors = self._errors(batch, times, generator)
        return errors.mean(), {}

    @torch.no_grad()
    def validate(self) -> Figures:
        """The loss on held-out crops with fixed timesteps and noise, and by quarters of the schedule."""
        generator = torch.Generator().manual_seed(VALIDATION_SEED)
        times = (torch.arange(self._count) + 0.5) / self._count * self._design.steps
        order = torch.randperm(self._count, generator=generator)
        self.net.eval()
        errors = torch.cat(
            [
                self._errors(torch.stack([self._held[int(i)] for i in some]), times[some].long(), generator)
                for some in torch.split(order, VALIDATION_BATCH)
            ]
        )
        self.net.train()
        quarters = [errors[order * PARTS // self._count == part].mean() for part in range(PARTS)]
        return {
            "score": -float(errors.mean()),
            **{f"quarter_{part}": float(value) for part, value in enumerate(quarters, start=1)},
        }

    def _errors(self, pixels: Tensor, times: Tensor, generator: torch.Generator) -> Tensor:
        """(B,) mean squared error of the predicted noise for each of (B, 3, side, side) uint8 pictures."""
        clean = F.pixel_unshuffle(pixels.float() / 127.5 - 1, self._design.fold)
        noise = torch.randn(clean.shape, generator=generator)
        device = self._config.device
        clean, noise, times = clean.to(device), noise.to(device), times.to(device)
        kept = self._kept[times].view(-1, 1, 1, 1)
        found = self.net(kept.sqrt() * clean + (1 - kept).sqrt() * noise, times).sample
        errors: Tensor = (found - noise).square().mean(dim=(1, 2, 3))
        return errors


def _seed_of(seed: int, step: int) -> int:
    return seed * 1_000_003 + step
