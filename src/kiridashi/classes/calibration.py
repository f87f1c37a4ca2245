"""From which cosine on a proposal counts as an object of a class: calibrated on the class's own shots.

Each shot is compared with the mean of all the others, as a new picture's object would be. How alike they are
says how alike to demand: nearly identical parts get a strict threshold, a varied kind of thing a mild one.
Nothing of the other classes enters, so that adding a class moves no other class's threshold.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.classifier import Embeddings
from kiridashi.core.errors import InputError

# An object is taken for one of the class when it has this share of the cosine to be expected, and two shots
# of the same class are expected to have the cosine PAIR while few are known. Chosen on objects of 150
# training photographs with the package's head, sixty draws of five classes: with five shots, 0.85 of the
# objects are kept, 0.79 of the background and 0.30 of the objects of other kinds are refused (0.88, 0.74 and
# 0.23 without the head); with one, 0.62, 0.75 and 0.32 (0.61, 0.74 and 0.33). A lower PAIR gives away more
# than it keeps.
SHARE = 0.7
PAIR = 0.36
# Shots that what is expected in general weighs as much as.
PRIOR_SHOTS = 2
# Two shots of one class are never taken to be less alike than this.
LEAST_PAIR = 0.01
DEFAULT_THRESHOLD = round(SHARE * PAIR, 2)


def calibrate(shots: Embeddings) -> float:
    """The threshold of a class, a cosine with its row.

    Args:
        shots: (K, D) embeddings, none zero. With one, the threshold is `DEFAULT_THRESHOLD`.

    Returns:
        Above 0 and below 1.

    Raises:
        InputError: no shots.
    """
    # A copy: torch warns of arrays that may only be read, as a registry's are.
    held = shots if isinstance(shots, Tensor) else np.array(shots, np.float32)
    unit = F.normalize(torch.as_tensor(held, dtype=torch.float32), dim=-1)
    if unit.ndim != 2 or not len(unit):
        raise InputError(f"calibration needs (K, D) shots, K from 1 on, got shape {tuple(unit.shape)}")
    count = len(unit)
    if count == 1:
        return DEFAULT_THRESHOLD
    pair = (float(unit.sum(dim=0).square().sum()) - count) / (count * (count - 1))
    pair = min(max(pair, LEAST_PAIR), 1.0)
    # Compared with a mean of one shot less than the row will have: a little too low.
    correction = expected_cosine(pair, count) / expected_cosine(pair, count - 1)
    own = min(max(float(left_out(unit).mean()) * correction, LEAST_PAIR), 1.0)
    general = expected_cosine(PAIR, count)
    return SHARE * (count * own + PRIOR_SHOTS * general) / (count + PRIOR_SHOTS)


def left_out(shots: Tensor) -> Tensor:
    """(K,) cosine of each of (K, D) unit shots with the mean of all the others; K from 2 on."""
    return (F.normalize(shots.sum(dim=0) - shots, dim=1) * shots).sum(dim=1)


def expected_cosine(pair: float, count: int) -> float:
    """The cosine of a new unit vector with the mean of `count`, when any two have the cosine `pair` (0..1).

    It grows with `count`: averaging takes away what is special to each. On training objects, 0.43, 0.55,
    0.58 and 0.62 for 1, 3, 5 and 10 shots, where 0.43, 0.55, 0.59 and 0.62 were measured.
    """
    return pair * math.sqrt(count) / math.sqrt(1 + (count - 1) * pair)
