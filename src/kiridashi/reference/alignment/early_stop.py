"""When tuning has stopped gaining."""

# The loss of a step hangs on the copy drawn; its running mean tells whether it still falls.
SMOOTHING = 0.9
LEAST_GAIN = 1e-3


class EarlyStop:
    """Says when the smoothed loss has not fallen for some steps.

    The loss is smoothed by an exponential mean of factor `SMOOTHING`, corrected for its start. Only a
    fall of at least `LEAST_GAIN` below the best so far counts.

    Args:
        patience: steps without such a fall; None: never stop.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self._mean = self._weight = 0.0
        self._best = float("inf")
        self._waited = 0

    def update(self, loss: float) -> bool:
        """Take the loss of one step; whether to stop after it."""
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        smooth = self._mean / self._weight
        if smooth <= self._best - LEAST_GAIN:
            self._best, self._waited = smooth, 0
        else:
            self._waited += 1
        return self.patience is not None and self._waited >= self.patience
