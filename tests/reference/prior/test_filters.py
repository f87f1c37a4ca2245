import numpy as np

from kiridashi.reference.prior.filters import filter_bank


def test_shape_and_range() -> None:
    bank = filter_bank(np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8))
    assert bank.shape[:2] == (40, 50)
    assert bank.dtype == np.float32
    assert np.isfinite(bank).all()


def test_a_flat_picture_has_no_edges_and_no_texture() -> None:
    bank = filter_bank(np.full((32, 32, 3), 90, np.uint8))
    assert np.ptp(bank, axis=(0, 1)).max() < 1e-3


def test_relative_maps_do_not_see_the_exposure() -> None:
    rng = np.random.default_rng(1)
    dark = rng.integers(60, 120, (48, 48, 1)).repeat(3, axis=2).astype(np.uint8)
    light = (dark + 60).astype(np.uint8)
    first, second = filter_bank(dark), filter_bank(light)
    unchanged = np.abs(first - second).max(axis=(0, 1)) < 1e-3
    # Five blurred brightness maps are absolute; all others are relative.
    assert int((~unchanged).sum()) == 5
