"""The presence verdict: is the object in the picture at all?

A threshold on a method's evidence, moved by what the references and negatives say: a site whose
negatives score high needs more evidence than one whose references score low can give.
"""

from collections.abc import Sequence

from kiridashi.core.segments import Verdict

# A new picture of the object scores at least this share of what the references score on average. Chosen with
# five references on 35 episodes each of made-up surfaces and training photographs. Against 0.25 everywhere:
# 0.77 instead of 0.51 and 0.54 instead of 0.46 of absent objects refused, 1.00 as before and 0.89 instead of
# 0.91 of present ones kept.
SHARE = 0.5
# How far inside the gap between absent and present scores the threshold stays.
MARGIN = 0.15


def calibrate(default: float, present: Sequence[float], absent: Sequence[float]) -> float:
    """The threshold for a site.

    Args:
        default: the method's own, for a site of which nothing is known.
        present: scores of pictures known to hold the object, as new pictures would get them.
        absent: scores of pictures known not to.

    Returns:
        A share of the mean present score, or `default` without any. Negatives move it: into the gap
        where the two sides can be parted, else to the middle between their means.
    """
    base = SHARE * sum(present) / len(present) if present else default
    if not absent:
        return base
    low, high = max(absent), min(present, default=1.0)
    if present and low >= high:
        return (sum(absent) / len(absent) + sum(present) / len(present)) / 2
    slack = MARGIN * (high - low)
    return min(max(base, low + slack), high - slack)


def judge(score: float, threshold: float) -> Verdict:
    """The verdict for a score; both in 0..1."""
    return Verdict(score >= threshold, score, threshold)
