"""Otsu's threshold with a figure for how separable the two classes are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Otsu(NamedTuple):
    """Threshold and separability.

    Attributes:
        threshold: values above it are the foreground.
        separability: between-class over total variance, 0..1; near 0 for one lump, above about
            0.75 for two clear classes (a flat distribution has 0.75).
    """

    threshold: float
    separability: float


def otsu(values: NDArray[np.floating], bins: int = 256) -> Otsu:
    """Otsu's threshold of any array of finite numbers (Otsu, 1979).

    A constant array has its value as threshold and separability 0: nothing lies above.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    if high - low <= 1e-12:
        return Otsu(high, 0.0)
    counts, edges = np.histogram(flat, bins=bins, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    weight = np.cumsum(counts)[:-1]
    total = counts.sum()
    mass = np.cumsum(counts * centres)
    mean_all = mass[-1] / total
    below = np.divide(mass[:-1], weight, out=np.zeros(bins - 1), where=weight > 0)
    above_count = total - weight
    above = np.divide(mass[-1] - mass[:-1], above_count, out=np.zeros(bins - 1), where=above_count > 0)
    between = weight * above_count * (below - above) ** 2 / total**2
    # An empty valley between the classes makes a plateau of equal values: take its middle.
    best = np.flatnonzero(np.isclose(between, between.max(), rtol=1e-9))
    variance = (counts * (centres - mean_all) ** 2).sum() / total
    return Otsu(float(edges[1:-1][best].mean()), float(between.max() / variance) if variance else 0.0)
