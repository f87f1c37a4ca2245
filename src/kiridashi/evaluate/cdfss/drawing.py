"""Which pictures make an episode: the rules of PATNet's loaders beside our own.

Every rule takes (source, shots, number of episodes or None, seed) and gives the episodes in order.
"""

from collections.abc import Callable

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.episodes import ClassPictures, Episode, sample_episodes

# Of one run of the benchmark, in PATNet's code.
DEFAULT_EPISODES = 600

Rule = Callable[[ClassPictures, int, int | None, int], list[Episode]]


def draw_distinct(source: ClassPictures, shots: int, episodes: int | None, seed: int) -> list[Episode]:
    """`sample_episodes`: the supports of an episode are distinct."""
    return sample_episodes(source, shots, DEFAULT_EPISODES if episodes is None else episodes, seed)


def draw_patnet(source: ClassPictures, shots: int, episodes: int | None, seed: int) -> list[Episode]:
    """PATNet's rule for Deepglobe, ISIC and chest X-rays.

    The class is the index modulo the number of classes; query and supports are drawn independently, and
    a support that is the query is drawn again. So supports may repeat, and other shots give other
    queries. The numbers come from numpy's legacy generator, one stream a run: with the benchmark's
    files in the order of their paths and seed 0, a loader in a single process draws the same.

    Raises:
        UsageError: shots or episodes below 1.
    """
    count = _checked(shots, DEFAULT_EPISODES if episodes is None else episodes)
    labels = list(source.classes)
    stream = np.random.RandomState(seed)
    drawn = []
    for index in range(count):
        label = labels[index % len(labels)]
        names = source.classes[label]
        query = _pick(stream, names)
        drawn.append(Episode(index, label, query, _others(stream, names, query, shots)))
    return drawn


def draw_each_once(source: ClassPictures, shots: int, episodes: int | None, seed: int) -> list[Episode]:
    """PATNet's rule for FSS-1000: every picture is the query once, supports as in `draw_patnet`.

    With a number of episodes, so many of them, evenly spread over the set; each is the same as in the
    complete run.

    Raises:
        UsageError: shots or episodes below 1.
    """
    queries = [(label, name) for label, names in source.classes.items() for name in sorted(names)]
    count = _checked(shots, len(queries) if episodes is None else min(episodes, len(queries)))
    stream = np.random.RandomState(seed)
    every = [
        Episode(index, label, query, _others(stream, source.classes[label], query, shots))
        for index, (label, query) in enumerate(queries)
    ]
    return [every[i * len(every) // count] for i in range(count)]


RULES: dict[str, Rule] = {"distinct": draw_distinct, "patnet": draw_patnet}


def _pick(stream: np.random.RandomState, names: tuple[str, ...]) -> str:
    return names[int(stream.choice(len(names), 1, replace=False)[0])]


def _others(stream: np.random.RandomState, names: tuple[str, ...], query: str, shots: int) -> tuple[str, ...]:
    supports: list[str] = []
    while len(supports) < shots:
        name = _pick(stream, names)
        if name != query:
            supports.append(name)
    return tuple(supports)


def _checked(shots: int, episodes: int) -> int:
    if shots < 1 or episodes < 1:
        raise UsageError(f"shots and episodes must be at least 1, got {shots} and {episodes}")
    return episodes
