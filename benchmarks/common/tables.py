"""Plain tables in markdown."""

from kiridashi.evaluate.intervals import Interval
from kiridashi.evaluate.tables import markdown

__all__ = ["markdown", "signed"]


def signed(interval: Interval) -> str:
    """A difference with its interval, each figure with its sign."""
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
