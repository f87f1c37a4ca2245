from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kiridashi.core.picture import Picture
from kiridashi.reference.transition.compact import CompactBackend
from kiridashi.reference.transition.dbst import Dbst
from kiridashi.reference.transition.options import TransitionOptions

Colour = Callable[..., Picture]


def equal(one: list[Picture], other: list[Picture]) -> bool:
    return all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))


def test_frames_have_the_targets_size_and_the_network_stays_as_it_was(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    before = {name: value.clone() for name, value in backend.unet.state_dict().items()}
    seen: list[tuple[int, int]] = []
    dbst = Dbst(backend, quick, progress=lambda done, total: seen.append((done, total)))
    frames = dbst.frames(colour(250, 0, 0, size=(40, 12)), colour(0, 0, 250, size=(23, 31)))
    assert [frame.size for frame in frames] == [(23, 31)] * 2
    assert [frame.name for frame in frames] == ["dbst 0.200", "dbst 0.800"]
    total = 2 * (quick.lora_steps + quick.steps) + quick.frames * quick.steps
    assert seen == [(done, total) for done in range(1, total + 1)]
    after = backend.unet.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_equal_inputs_give_equal_frames_with_and_without_a_cache(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions, tmp_path: Path
) -> None:
    pair = colour(250, 0, 0), colour(0, 0, 250)
    plain = Dbst(backend, quick).frames(*pair)
    assert equal(Dbst(backend, quick, cache=tmp_path).frames(*pair), plain)
    seen: list[int] = []
    kept = Dbst(backend, quick, cache=tmp_path, progress=lambda done, total: seen.append(done))
    assert equal(kept.frames(*pair), plain)
    assert seen[-1] == len(seen)


class Ideal(CompactBackend):
    """Knows the noise of pictures that are N(0, 0.25) in every value."""

    def predict(self, latent: Tensor, times: Tensor, text: Tensor | None) -> Tensor:
        picture, spread = self.schedule.scales(times)
        return spread * latent / (0.25 * picture**2 + spread**2)


def test_the_ends_of_the_way_are_the_pictures_themselves(backend: CompactBackend, colour: Colour) -> None:
    """At alpha 0 and 1 there is nothing to interpolate: back comes the picture, but for DDIM's error."""
    options = TransitionOptions(frames=2, alpha_min=0.0, alpha_max=1.0, steps=100, lora_steps=0)
    backend = Ideal(backend.unet, backend.design)
    red, blue = colour(200, 60, 60, size=(16, 16)), colour(60, 60, 200, size=(16, 16))
    first, last = Dbst(backend, options).frames(red, blue)
    for frame, picture, other in ((first, red, blue), (last, blue, red)):
        near, far = (
            float(np.abs(frame.pixels.astype(int) - one.pixels.astype(int)).mean())
            for one in (picture, other)
        )
        assert near < 10
        assert far > 5 * near


def test_a_target_equal_to_the_reference_gives_its_own_reconstruction(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions
) -> None:
    picture = colour(200, 60, 60)
    first, second = Dbst(backend, quick).frames(picture, picture)
    assert np.abs(first.pixels.astype(int) - second.pixels.astype(int)).max() <= 1


def test_noise_interpolation_is_chosen_by_the_options(
    backend: CompactBackend, make_picture: Callable[..., Picture], quick: TransitionOptions
) -> None:
    pair = make_picture(seed=1), make_picture(seed=2)
    with_adain = Dbst(backend, quick).frames(*pair)
    assert not equal(Dbst(backend, replace(quick, adain=False)).frames(*pair), with_adain)
    assert not equal(Dbst(backend, replace(quick, lora_steps=0)).frames(*pair), with_adain)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (300, 2)])
def test_pictures_of_any_shape_are_taken(
    backend: CompactBackend, colour: Colour, quick: TransitionOptions, size: tuple[int, int]
) -> None:
    options = replace(quick, lora_steps=0)
    frames = Dbst(backend, options).frames(colour(9, 9, 9, size=size), colour(200, 9, 9, size=size))
    assert {frame.size for frame in frames} == {size}
