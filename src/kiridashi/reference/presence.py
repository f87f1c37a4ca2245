"""The presence verdict: is the object in the picture at all?

A threshold on a method's evidence, moved by what the references and negatives say: a site whose
negatives score high needs more evidence than one whose references score low can give.
"""

from collections.abc import Sequence

from kiridashi.core.segments import Verdict

# How far inside the gap between absent and present scores the threshold stays.
MARGIN = 0.15


def calibrate(default: float, present: Sequence[float], absent: Sequence[float]) -> float:
    """The threshold for a site.

    Args:
        default: the method's own, right for an average site.
        present: scores of pictures known to hold the object, as new pictures would get them.
        absent: scores of pictures known not to.

    Returns:
        `default` where it parts the two; else the nearest threshold that does, with a margin; else,
        when they overlap, the middle between their means.
    """
    low, high = max(absent, default=0.0), min(present, default=1.0)
    if absent and present and low >= high:
        return (sum(absent) / len(absent) + sum(present) / len(present)) / 2
    slack = MARGIN * (high - low)
    # Without a case of one side, that side sets no limit.
    floor = low + slack if absent else 0.0
    ceiling = high - slack if present else 1.0
    return min(max(default, floor), ceiling)


def judge(score: float, threshold: float) -> Verdict:
    """The verdict for a score; both in 0..1."""
    return Verdict(score >= threshold, score, threshold)
