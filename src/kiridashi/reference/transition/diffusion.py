"""From a picture to the noise that makes it, and back (DDIM: Song et al., 2021, equation 12)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kiridashi.core.errors import UsageError

# (latent, timestep) -> the noise in it.
Denoiser = Callable[[Tensor, int], Tensor]
Tick = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Schedule:
    """How much of the picture is left at each timestep.

    Attributes:
        kept: (T,) float64, the cumulated product of the alphas, falling.
        prediction: what the network predicts: "epsilon" (the noise) or "v_prediction" (the velocity of
            Salimans and Ho, 2022).
    """

    kept: Tensor
    prediction: str = "epsilon"

    def timesteps(self, steps: int) -> list[int]:
        """`steps` timesteps, rising, evenly spaced from 1 as Stable Diffusion's schedulers space them.

        Raises:
            UsageError: more steps than the schedule has.
        """
        total = len(self.kept)
        if not 1 <= steps <= total:
            raise UsageError(f"steps must be in 1..{total}, the timesteps of this model; got {steps}")
        spacing = total // steps
        first = 1 if spacing > 1 else 0
        return [first + spacing * number for number in range(steps)]

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 1, 1, 1) factors of picture and noise at (B,) timesteps."""
        kept = self.kept[times].view(-1, 1, 1, 1)
        return kept.sqrt().float(), (1 - kept).sqrt().float()

    def noisy(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """(B, C, H, W) latents at (B,) timesteps."""
        picture, spread = self.scales(times)
        return picture * clean + spread * noise

    def goal(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the network should predict for `noisy`'s latents."""
        if self.prediction == "epsilon":
            return noise
        picture, spread = self.scales(times)
        return picture * noise - spread * clean

    def noise_of(self, predicted: Tensor, latent: Tensor, time: int) -> Tensor:
        """The noise, from what the network predicted for (B, C, H, W) latents."""
        if self.prediction == "epsilon":
            return predicted
        picture, spread = self.scales(torch.tensor([time]))
        return picture * predicted + spread * latent


@torch.no_grad()
def invert(
    clean: Tensor, denoiser: Denoiser, schedule: Schedule, steps: int, tick: Tick | None = None
) -> Tensor:
    """The noise from which `denoise` makes this latent again, nearly: the error falls with more steps.

    Args:
        clean: (B, C, H, W) float32.
        denoiser: gives the noise in a latent.
        schedule: of the network.
        steps: of DDIM.
        tick: called after each step.

    Returns:
        (B, C, H, W) float32.
    """
    latent, level = clean, 1.0
    for time in schedule.timesteps(steps):
        reached = float(schedule.kept[time])
        latent = _moved(latent, denoiser(latent, time), level, reached)
        level = reached
        if tick:
            tick()
    return latent


@torch.no_grad()
def denoise(
    noise: Tensor, denoiser: Denoiser, schedule: Schedule, steps: int, tick: Tick | None = None
) -> Tensor:
    """The latent that a noise stands for; arguments as in `invert`."""
    latent, times = noise, schedule.timesteps(steps)
    for time, before in zip(reversed(times), [*reversed(times[:-1]), None], strict=True):
        level, reached = float(schedule.kept[time]), 1.0 if before is None else float(schedule.kept[before])
        latent = _moved(latent, denoiser(latent, time), level, reached)
        if tick:
            tick()
    return latent


def _moved(latent: Tensor, noise: Tensor, level: float, reached: float) -> Tensor:
    """A latent at one share of the picture (`level`, 0..1) taken to another along its noise."""
    clean: Tensor = (latent - (1 - level) ** 0.5 * noise) / level**0.5
    moved: Tensor = reached**0.5 * clean + (1 - reached) ** 0.5 * noise
    return moved
