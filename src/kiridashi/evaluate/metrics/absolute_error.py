"""Mean absolute error of a mask or a map of probabilities."""

import numpy as np
from numpy.typing import ArrayLike

from kiridashi.core.errors import InputError


def mean_absolute_error(predicted: ArrayLike, truth: ArrayLike, ignore: ArrayLike | None = None) -> float:
    """Mean of |p - g| over the pixels that count, 0..1; 0 where none counts.

    Of two masks it is the share of pixels that are wrong. What is not found in a big picture is cheap here:
    read it beside the overlap, never alone.

    Args:
        predicted: (H, W) in 0..1, or bool.
        truth: (H, W) in 0..1, or bool.
        ignore: (H, W) pixels that do not count.

    Raises:
        InputError: the shapes differ.
    """
    found, true = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    counted = np.ones(true.shape, dtype=bool) if ignore is None else ~np.asarray(ignore).astype(bool)
    if not found.shape == true.shape == counted.shape:
        raise InputError(
            f"prediction, truth and ignored region must have one shape, got {found.shape}, {true.shape} "
            f"and {counted.shape}"
        )
    return float(np.abs(found - true)[counted].mean()) if counted.any() else 0.0
