import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.reference.transition.interpolation import adain, between_noises, lerp, lerp_states, slerp


def noise(seed: int, shape: tuple[int, ...] = (1, 3, 8, 8)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


seeds = st.integers(0, 1000)
alphas = st.floats(0, 1)


@given(seeds)
def test_the_ends_of_every_interpolation_are_the_two_pictures(seed: int) -> None:
    start, end = noise(seed), 3 * noise(seed + 1) + 1
    for alpha, expected in ((0.0, start), (1.0, end)):
        assert torch.equal(lerp(start, end, alpha), expected)
        torch.testing.assert_close(slerp(start, end, alpha), expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(between_noises(start, end, alpha, True), expected, rtol=1e-3, atol=1e-4)


@given(seeds, alphas)
def test_slerp_of_unit_vectors_keeps_the_norm(seed: int, alpha: float) -> None:
    start, end = (torch.nn.functional.normalize(noise(seed + i, (6,)), dim=0) for i in (0, 1))
    assert float(slerp(start, end, alpha).norm()) == pytest.approx(1, abs=1e-5)


@given(seeds, alphas, st.floats(0.1, 10))
def test_slerp_moves_by_equal_angles(seed: int, alpha: float, factor: float) -> None:
    start = noise(seed, (5,))
    end = factor * noise(seed + 1, (5,))

    def angle(one: Tensor, other: Tensor) -> float:
        cosine = (one.double() @ other.double()) / (one.double().norm() * other.double().norm())
        return float(torch.arccos(cosine.clamp(-1, 1)))

    if factor == pytest.approx(1) or alpha in (0, 1):
        return
    # Of equal norms, the way is even; the angle to the start is alpha of the whole.
    end = end / end.norm() * start.norm()
    moved = angle(start, slerp(start, end, alpha))
    assert moved == pytest.approx(alpha * angle(start, end), abs=1e-3)


@given(seeds, alphas)
def test_slerp_of_equal_noises_is_that_noise(seed: int, alpha: float) -> None:
    start = noise(seed)
    torch.testing.assert_close(slerp(start, start.clone(), alpha), start)
    torch.testing.assert_close(slerp(start, 2 * start, alpha), lerp(start, 2 * start, alpha))


def test_slerp_of_opposite_or_empty_noises_is_finite_and_linear() -> None:
    start = noise(0)
    torch.testing.assert_close(slerp(start, -start, 0.25), 0.5 * start)
    torch.testing.assert_close(slerp(start, torch.zeros_like(start), 0.25), 0.75 * start)


def test_the_angle_is_computed_in_double_precision() -> None:
    start = noise(0, (1, 4, 64, 64))
    end = start + 2e-3 * noise(1, (1, 4, 64, 64))
    middle = slerp(start, end, 0.5)
    assert middle.dtype == torch.float32
    torch.testing.assert_close(middle, lerp(start, end, 0.5), rtol=1e-4, atol=1e-5)


@given(seeds, alphas)
def test_adain_gives_every_channel_the_mean_and_spread_between(seed: int, alpha: float) -> None:
    start, end = noise(seed), 2 * noise(seed + 1) - 3
    mixed = adain(slerp(start, end, alpha), start, end, alpha)
    for part in (torch.mean, lambda x, dim: torch.var(x, dim=dim, correction=0).sqrt()):
        expected = lerp(part(start, dim=(2, 3)), part(end, dim=(2, 3)), alpha)
        torch.testing.assert_close(part(mixed, dim=(2, 3)), expected, rtol=1e-3, atol=1e-3)


def test_adain_of_an_even_channel_is_finite() -> None:
    even = torch.full((1, 3, 4, 4), 0.5)
    torch.testing.assert_close(adain(even, even, even, 0.5), even)


@given(seeds, alphas)
def test_loras_are_interpolated_key_by_key(seed: int, alpha: float) -> None:
    start, end = ({"a": noise(seed + i), "b": noise(seed + i + 5, (2, 3))} for i in (0, 1))
    mixed = lerp_states(start, end, alpha)
    assert all(torch.equal(mixed[key], lerp(start[key], end[key], alpha)) for key in ("a", "b"))


def test_loras_of_different_networks_are_refused() -> None:
    with pytest.raises(InputError, match="different networks"):
        lerp_states({"a": torch.zeros(1)}, {"b": torch.zeros(1)}, 0.5)
