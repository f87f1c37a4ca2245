"""Draws the K instances of a class that a detector is shown."""

import zlib

import numpy as np

from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.instances import Instance, InstanceSet


def draw_instances(source: InstanceSet, label: str, count: int | None, seed: int) -> tuple[Instance, ...]:
    """Exactly `count` instances of a class, crowds excluded.

    Pictures are drawn one after another, and the instances of each in random order, until there are enough;
    of the last picture only as many as are missing are taken. (The draw of iMTFA's code, TFA's, passes over a
    picture with more instances than are missing, which would leave out every picture of a herd.) Fewer
    instances of one seed are the first of more, and other classes of the set do not change the draw.

    Args:
        source: the set.
        label: the class.
        count: K; None: all there are.
        seed: equal seeds give equal draws.

    Raises:
        UsageError: fewer than `count` instances, or a count below 1.
    """
    by_picture = [
        [one for one in every if one.label == label and not one.crowd] for every in source.instances.values()
    ]
    by_picture = [every for every in by_picture if every]
    known = sum(map(len, by_picture))
    wanted = known if count is None else count
    if not 1 <= wanted <= known:
        raise UsageError(
            f"{source.name} has {known} instances of {label!r}, {wanted} were asked for; ask for 1 to {known}"
        )
    rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
    drawn: list[Instance] = []
    for place in rng.permutation(len(by_picture)):
        every = by_picture[place]
        drawn += [every[index] for index in rng.permutation(len(every))]
        if len(drawn) >= wanted:
            break
    return tuple(drawn[:wanted])
