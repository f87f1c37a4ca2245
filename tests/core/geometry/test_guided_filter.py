import numpy as np

from kiridashi.core.geometry.guided_filter import guided_filter


def test_it_keeps_a_constant_and_follows_an_edge() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 220
    flat = guided_filter(pixels, np.full((64, 64), 0.3, np.float32), 4)
    assert np.allclose(flat, 0.3, atol=1e-3)
    # A soft step six pixels beside the edge moves onto it.
    soft = np.clip((np.arange(64) - 24) / 16, 0, 1).astype(np.float32)[None].repeat(64, 0)
    sharp = guided_filter(pixels, soft, 6)
    step = np.abs(np.diff(sharp[32]))
    assert step.argmax() == 31
    assert step.max() > 3 * np.abs(np.diff(soft[32])).max()
