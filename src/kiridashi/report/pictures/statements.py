"""What a paired difference allows to say, in plain words."""

from kiridashi.evaluate.intervals import LEAST, Comparison
from kiridashi.evaluate.pictures.measures import MEASURES
from kiridashi.report.page.messages import Messages

PACKAGE = "kiridashi.report.pictures"


def statement(method: str, other: str, measure: str, found: Comparison, say: Messages) -> str:
    """One or two sentences: who is ahead by how much, or that no difference is shown; and whether few say so.

    Of fewer pictures than `LEAST` no interval is told, and nobody is ahead.

    Args:
        method: that is compared.
        other: with which.
        measure: a name of `MEASURES`.
        found: its paired difference.
        say: texts of this package.
    """
    share = MEASURES[measure].share
    difference = found.difference
    factor = 100 if share else 1
    ends = factor * difference.low, factor * difference.high
    if not MEASURES[measure].higher_is_better:
        ends = -ends[1], -ends[0]
    mean = factor * difference.mean * (1 if MEASURES[measure].higher_is_better else -1)
    if found.standing == "behind":
        mean, ends = -mean, (-ends[1], -ends[0])
    too_few = difference.count < LEAST
    told = say(
        "stands_few" if too_few else f"stands_{found.standing}",
        method=method,
        other=other,
        measure=say(f"of_{measure}"),
        mean=f"{mean:+.1f}" if too_few else f"{mean:.1f}",
        low=f"{ends[0]:.1f}",
        high=f"{ends[1]:.1f}",
        unit=say("points" if share else "pixels"),
        count=difference.count,
    )
    return told + (say("few") if found.few and not too_few else "")
