import numpy as np
import pytest
import torch

from kiridashi.core.errors import InputError
from kiridashi.video.thumbnails import GAP, HEIGHT, HELD, SHOWN, Thumbnails


def shade(index: int) -> np.ndarray:
    return np.full((48, 64, 3), index % 256, np.uint8)


def shown(strip: np.ndarray) -> list[int]:
    wide = 64 * HEIGHT // 48
    return [int(strip[0, place]) for place in range(0, strip.shape[1], wide + GAP)]


@pytest.mark.parametrize(("frames", "spread"), [(5, 1), (200, 40)])
def test_frames_are_evenly_spaced_and_bounded(frames: int, spread: int) -> None:
    thumbnails = Thumbnails()
    for index in range(frames):
        thumbnails.add(index, shade(index))
        assert len(thumbnails.state()["pixels"]) <= HELD
    strip = thumbnails.strip()
    assert strip is not None
    assert strip.shape[0] == HEIGHT
    columns = shown(strip[..., 0])
    assert columns[0] == 0
    assert len(columns) == min(frames, SHOWN)
    assert np.diff(columns).min() > 0
    assert np.diff(columns).max() <= spread
    assert columns[-1] >= frames - spread


def test_a_state_comes_back() -> None:
    one = Thumbnails()
    for index in range(70):
        one.add(index, shade(index))
    two = Thumbnails().restore(one.state())
    for index in range(70, 150):
        one.add(index, shade(index))
        two.add(index, shade(index))
    first, second = one.strip(), two.strip()
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)
    assert Thumbnails().restore({}).strip() is None
    with pytest.raises(InputError, match="thumbnails"):
        Thumbnails().restore({"frames": torch.tensor([1, 2])})
