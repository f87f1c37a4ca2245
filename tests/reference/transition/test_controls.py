from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kiridashi.core.picture import Picture
from kiridashi.reference.transition.controls import Affine, CrossFade, NoTransition
from kiridashi.reference.transition.options import TransitionOptions

MakePicture = Callable[..., Picture]
Colour = Callable[..., Picture]
OPTIONS = TransitionOptions(frames=4, alpha_min=0.2, alpha_max=0.8)


def test_none_makes_no_frames(make_picture: MakePicture) -> None:
    assert NoTransition().frames(make_picture(), make_picture()) == []


def test_a_fade_weighs_the_pictures_by_alpha(colour: Colour) -> None:
    frames = CrossFade(OPTIONS).frames(colour(0, 0, 100, size=(9, 40)), colour(100, 0, 0, size=(20, 30)))
    assert [frame.size for frame in frames] == [(20, 30)] * 4
    assert [frame.pixels[5, 5].tolist() for frame in frames] == [
        [20, 0, 80],
        [40, 0, 60],
        [60, 0, 40],
        [80, 0, 20],
    ]


def test_a_warp_goes_further_from_frame_to_frame(make_picture: MakePicture) -> None:
    reference = make_picture((64, 64), seed=1)
    frames = Affine(OPTIONS).frames(reference, make_picture((64, 64), seed=2))
    far = [float(np.abs(frame.pixels.astype(int) - reference.pixels).mean()) for frame in frames]
    moved = [float(np.hypot(*(centre(frame) - centre(reference)))) for frame in frames]
    assert far[0] > 0
    assert moved == sorted(moved)
    assert moved[-1] == pytest.approx(4 * moved[0], rel=0.2)


def test_a_warp_depends_on_the_seed_alone(make_picture: MakePicture) -> None:
    pair = make_picture((40, 50), seed=1), make_picture((30, 60), seed=2)
    one, two = Affine(OPTIONS).frames(*pair), Affine(OPTIONS).frames(*pair)
    other = Affine(TransitionOptions(frames=4, seed=1)).frames(*pair)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0].pixels, other[0].pixels)
    assert {frame.size for frame in one} == {(30, 60)}


def centre(picture: Picture) -> NDArray[np.float64]:
    """Of the bright disc."""
    found: NDArray[np.float64] = np.argwhere(picture.pixels[..., 0] > 140).mean(axis=0)
    return found
