import pytest
import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.reference.transition.design import make_scheduler
from kiridashi.reference.transition.diffusion import Schedule, denoise, invert

SPREAD = 0.5
KEPT = make_scheduler().alphas_cumprod.double()


def ideal(schedule: Schedule, latent: Tensor, time: int) -> Tensor:
    """The best guess of the noise when the pictures are N(0, 0.25)."""
    kept = float(schedule.kept[time])
    noise: Tensor = (1 - kept) ** 0.5 * latent / (kept * SPREAD**2 + 1 - kept)
    return noise


@pytest.fixture
def clean() -> Tensor:
    return SPREAD * torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def error(clean: Tensor, steps: int, schedule: Schedule) -> float:
    noise = invert(clean, lambda z, t: ideal(schedule, z, t), schedule, steps)
    again = denoise(noise, lambda z, t: ideal(schedule, z, t), schedule, steps)
    return float((again - clean).abs().mean())


def test_inversion_gives_unit_noise_and_denoising_the_picture_the_better_the_more_steps(
    clean: Tensor,
) -> None:
    schedule = Schedule(KEPT)
    noise = invert(clean, lambda z, t: ideal(schedule, z, t), schedule, 50)
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    ten, twenty, hundred = (error(clean, steps, schedule) for steps in (10, 20, 100))
    assert twenty == pytest.approx(0.054, abs=0.03)
    assert ten > twenty > hundred
    assert hundred < 0.02


def test_a_known_noise_is_followed_exactly(clean: Tensor) -> None:
    """Where the noise is the same at every step, both recurrences are exact."""
    schedule, noise = Schedule(KEPT), torch.randn_like(clean)
    found = invert(clean, lambda z, t: noise, schedule, 7)
    last = float(KEPT[schedule.timesteps(7)[-1]])
    torch.testing.assert_close(found, last**0.5 * clean + (1 - last) ** 0.5 * noise, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(denoise(found, lambda z, t: noise, schedule, 7), clean, rtol=1e-3, atol=1e-3)


def test_timesteps_rise_evenly_and_denoising_visits_them_backwards(clean: Tensor) -> None:
    schedule = Schedule(KEPT)
    assert schedule.timesteps(20) == list(range(1, 1000, 50))
    assert schedule.timesteps(1000) == list(range(1000))
    up: list[int] = []
    down: list[int] = []
    ticks: list[int] = []

    def watched(seen: list[int]) -> Tensor:
        return torch.zeros_like(clean)

    invert(clean, lambda z, t: (up.append(t), watched(up))[1], schedule, 5, lambda: ticks.append(1))  # type: ignore[func-returns-value]
    denoise(clean, lambda z, t: (down.append(t), watched(down))[1], schedule, 5, lambda: ticks.append(1))  # type: ignore[func-returns-value]
    assert up == down[::-1] == schedule.timesteps(5)
    assert len(ticks) == 10


def test_velocity_and_noise_say_the_same(clean: Tensor) -> None:
    noise, time = torch.randn_like(clean), torch.tensor([400])
    velocity, epsilon = Schedule(KEPT, "v_prediction"), Schedule(KEPT)
    latent = velocity.noisy(clean, noise, time)
    torch.testing.assert_close(
        velocity.noise_of(velocity.goal(clean, noise, time), latent, 400), noise, rtol=1e-4, atol=1e-4
    )
    assert torch.equal(epsilon.noise_of(epsilon.goal(clean, noise, time), latent, 400), noise)


@pytest.mark.parametrize("steps", [0, 1001])
def test_more_steps_than_the_schedule_has_are_refused(steps: int) -> None:
    with pytest.raises(UsageError, match=r"1\.\.1000"):
        Schedule(KEPT).timesteps(steps)
