import numpy as np
import pytest
from skimage.filters import threshold_otsu

from kiridashi.core.geometry.otsu import otsu


@pytest.mark.parametrize("seed", range(8))
def test_threshold_is_within_a_bin_of_the_library_or_in_the_same_gap(seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.normal(0.3, 0.1, 4000)
    high = random.normal(0.3 + 0.1 * seed, 0.08, 600 + 500 * seed)
    values = np.concatenate([low, high])
    bin_width = np.ptp(values) / 256
    # The library takes the lower end of an empty gap between the classes, we its middle.
    low_end, high_end = sorted((otsu(values).threshold, float(threshold_otsu(values))))
    assert not ((values > low_end + bin_width / 2) & (values < high_end - bin_width / 2)).any()
    if seed < 6:
        assert high_end - low_end <= bin_width


def test_two_clear_classes_are_split_in_the_middle_of_the_gap() -> None:
    result = otsu(np.array([0.0] * 50 + [1.0] * 30))
    assert result.threshold == pytest.approx(0.5, abs=0.01)
    assert result.separability == pytest.approx(1.0, abs=0.01)


def test_separability_grows_with_the_distance_of_the_classes() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0, 1, 4000)
    figures = [otsu(noise + distance * (np.arange(4000) % 2)).separability for distance in (0, 3, 6, 12)]
    assert figures == sorted(figures)
    assert figures[0] < 0.75 < figures[-1]


def test_a_flat_distribution_has_three_quarters() -> None:
    assert otsu(np.linspace(0, 1, 25_600)).separability == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("shift", [-40.0, 0.0, 1000.0])
def test_threshold_moves_with_the_values(shift: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, 1000)
    assert otsu(values + shift).threshold == pytest.approx(otsu(values).threshold + shift, abs=1e-6)


@pytest.mark.parametrize("values", [np.full((3, 4), 0.7), np.array([]), np.array([0.7])])
def test_nothing_lies_above_the_threshold_of_a_constant(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    result = otsu(values)
    assert result.separability == 0
    assert not (values > result.threshold).any()
