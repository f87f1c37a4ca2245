"""Which classes a head learns from, and which it never sees."""

from dataclasses import dataclass

import numpy as np

from kiridashi.classes.base_training.gathering import MARKED, Gathered
from kiridashi.core.errors import InputError

# Of a class with fewer marked objects, or in fewer pictures, shots would leave nothing to judge.
LEAST_OBJECTS = 8
LEAST_PICTURES = 6
# Held aside are at least two to stop by and two to judge by: telling one class from nothing is no task.
LEAST_ASIDE = 4
LEAST_TRAINED = 2


@dataclass(frozen=True)
class ClassSplit:
    """Class names, each in one of three parts.

    Attributes:
        trained: learned from.
        stopping: never learned from; they say when to stop.
        judging: never learned from nor stopped by; they say whether anything was gained.
    """

    trained: tuple[str, ...]
    stopping: tuple[str, ...]
    judging: tuple[str, ...]


def split_classes(gathered: Gathered, share: float, seed: int) -> ClassSplit:
    """Draw the classes to hold aside.

    Args:
        gathered: of the data set.
        share: of the classes, 0..1; four at least are held aside.
        seed: draws them.

    Raises:
        InputError: too few classes to hold any aside.
    """
    able = [name for place, name in enumerate(gathered.names) if _is_judgeable(gathered, place)]
    wanted = max(round(share * len(gathered.names)), LEAST_ASIDE)
    aside = min(wanted, len(able))
    if aside < LEAST_ASIDE or len(gathered.names) - aside < LEAST_TRAINED:
        raise InputError(
            f"base training holds classes aside to see whether it helps with new ones: it needs "
            f"{LEAST_ASIDE + LEAST_TRAINED} classes, {LEAST_ASIDE} of them with {LEAST_OBJECTS} objects in "
            f"{LEAST_PICTURES} pictures; this data set has {len(gathered.names)} and {len(able)}; "
            "give more classes, or work with the plain embedding"
        )
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(able)[:aside]]
    trained = tuple(name for name in gathered.names if name not in set(drawn))
    return ClassSplit(trained, tuple(sorted(drawn[0::2])), tuple(sorted(drawn[1::2])))


def _is_judgeable(gathered: Gathered, place: int) -> bool:
    own = (gathered.labels == place) & (gathered.origins == MARKED)
    return int(own.sum()) >= LEAST_OBJECTS and len(set(gathered.pictures[own].tolist())) >= LEAST_PICTURES
