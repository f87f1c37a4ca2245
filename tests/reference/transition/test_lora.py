from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition.compact import CompactBackend
from kiridashi.reference.transition.lora import adapted, train_lora
from kiridashi.reference.transition.options import TransitionOptions

Colour = Callable[..., Picture]


def snapshot(backend: CompactBackend) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in backend.unet.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(value, other[name]) for name, value in one.items())


def picture_error(backend: CompactBackend, clean: Tensor) -> float:
    """Mean error of the noise over the schedule."""
    generator = torch.Generator().manual_seed(8)
    times = torch.arange(20, 1000, 40)
    many = clean.expand(len(times), -1, -1, -1)
    noise = torch.randn(many.shape, generator=generator)
    with torch.no_grad():
        found = backend.predict(backend.schedule.noisy(many, noise, times), times, None)
    return float((found - noise).square().mean())


def test_training_lowers_the_error_and_leaves_the_network_bit_identical(
    backend: CompactBackend, colour: Colour
) -> None:
    before, modules = snapshot(backend), [type(module) for module in backend.unet.modules()]
    clean = backend.to_latent(colour(200, 30, 30))
    plain = picture_error(backend, clean)
    ticks: list[int] = []
    options = TransitionOptions(rank=4, lora_steps=20, lora_batch=4, learning_rate=2e-2)
    state = train_lora(backend, clean, None, options, lambda: ticks.append(1))
    assert len(ticks) == 20
    assert same(snapshot(backend), before)
    assert [type(module) for module in backend.unet.modules()] == modules
    assert picture_error(backend, clean) == plain
    assert not any(value.requires_grad for value in backend.unet.parameters())
    with adapted(backend, 4) as layers:
        layers.load(state)
        assert picture_error(backend, clean) < 0.9 * plain
    assert same(snapshot(backend), before)


def test_fresh_layers_change_nothing(backend: CompactBackend, colour: Colour) -> None:
    clean = backend.to_latent(colour(10, 100, 200))
    plain = picture_error(backend, clean)
    with adapted(backend, 3):
        assert picture_error(backend, clean) == pytest.approx(plain, rel=1e-5)


def test_equal_seeds_give_equal_loras(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    clean = backend.to_latent(colour(10, 100, 200))
    first = train_lora(backend, clean, None, quick)
    torch.randn(5)
    assert same(train_lora(backend, clean, None, quick), first)
    assert not same(train_lora(backend, clean, None, replace(quick, seed=1)), first)


def test_an_interrupted_training_leaves_the_network_bit_identical(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    before = snapshot(backend)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lora(backend, backend.to_latent(colour(1, 2, 3)), None, quick, stop)
    assert same(snapshot(backend), before)
    assert torch.is_grad_enabled()


def test_training_works_where_gradients_are_off(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    with torch.inference_mode():
        clean = backend.to_latent(colour(1, 2, 3))
        state = train_lora(backend, clean, None, quick)
    assert max(float(value.abs().max()) for name, value in state.items() if "lora_B" in name) > 0


def test_a_training_that_runs_away_is_reported(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    before = snapshot(backend)
    with pytest.raises(UsageError, match="lower one"):
        train_lora(
            backend,
            backend.to_latent(colour(1, 2, 3)),
            None,
            replace(quick, learning_rate=1e30, lora_steps=9),
        )
    assert same(snapshot(backend), before)


def test_a_lora_of_another_rank_is_refused(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    state = train_lora(backend, backend.to_latent(colour(1, 2, 3)), None, quick)
    with adapted(backend, quick.rank + 1) as layers, pytest.raises(InputError, match="rank"):
        layers.load(state)
