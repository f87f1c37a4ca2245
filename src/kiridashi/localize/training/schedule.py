"""The learning rate of a step: a linear warm-up, then half a cosine."""

import math


def rate(step: int, steps: int, peak: float, final: float, warmup: float) -> float:
    """The rate to take a step with.

    The released code of Pro2SAM makes such a schedule and never gives it to its optimiser. Here the loop
    sets the optimiser's rate to this before each step, and a test looks there.

    Args:
        step: 0..steps - 1.
        steps: in all.
        peak: after the warm-up.
        final: at the last step; `peak` if that is lower.
        warmup: share of the steps, 0..0.5.
    """
    first = round(warmup * steps)
    if step < first:
        return peak * (step + 1) / first
    done = (step - first) / max(steps - first - 1, 1)
    low = min(final, peak)
    return low + (peak - low) * (1 + math.cos(math.pi * done)) / 2
