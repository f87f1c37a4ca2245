"""The reckoning of one option against the present way. Amounts are in the site's currency."""

import math
from dataclasses import dataclass

import numpy as np

from kiridashi.poc.money.rates import LEVEL, draws
from kiridashi.poc.site.schema import Money
from kiridashi.report.poc.document import Bill, Rate, Span, Worth

DRAWS = 20_000
MONTHS = 12


@dataclass(frozen=True)
class Measured:
    """What a trial says of an option.

    Attributes:
        method: name.
        missed: of the bad pictures.
        false_alarms: of the good pictures.
        seconds: for a picture.
        labelled: pictures that have to be marked.
    """

    method: str
    missed: Rate
    false_alarms: Rate
    seconds: float
    labelled: int


def worth(money: Money, measured: Measured, seed: int = 0) -> Worth:
    """What an option brings: a year now, a year then, and what is spent once.

    The intervals come of the measured shares alone; how the site's own figures move the result is the
    matter of the swings.

    Args:
        money: the site's figures.
        measured: the option's.
        seed: of the draws for the intervals.
    """
    from kiridashi.poc.money.sensitivity import swings

    once = spent_once(money, measured)
    saving = _saving_span(money, measured, seed)
    years = money.introduction.years
    net = Span(*(amount * years - sum(once) for amount in (saving.value, saving.low, saving.high)))
    now, then = bill_now(money), bill_then(money, measured.missed.share, measured.false_alarms.share)
    return Worth(
        measured.method,
        now,
        then,
        *once,
        computers(money, measured.seconds),
        saving,
        net,
        years,
        payback(sum(once), saving.value),
        payback(sum(once), saving.low),
        *_break_even(money, measured),
        tuple(swings(money, measured)),
    )


def bill_now(money: Money) -> Bill:
    """A year of the present way."""
    current = money.current
    pictures = _pictures(money)
    labour = pictures * current.seconds_per_picture / 3600 * current.wage_per_hour
    misses, false_alarms = _mistakes(money, current.miss_rate, current.false_alarm_rate)
    return Bill(labour, misses, false_alarms, current.cost_per_year)


def bill_then(money: Money, missed: float, false_alarms: float) -> Bill:
    """A year with an option that makes these shares of mistakes.

    What people still look at keeps its price; the mistakes are the option's. The present way's other costs
    go by the same share.
    """
    left, now = money.introduction.labour_left, bill_now(money)
    running = money.introduction.upkeep_per_year + left * money.current.cost_per_year
    return Bill(left * now.labour, *_mistakes(money, missed, false_alarms), running)


def net(money: Money, measured: Measured, missed: float, false_alarms: float) -> float:
    """The net result over all years, with these shares of mistakes."""
    saving = bill_now(money).total - bill_then(money, missed, false_alarms).total
    return saving * money.introduction.years - sum(spent_once(money, measured))


def spent_once(money: Money, measured: Measured) -> tuple[float, float, float]:
    """Labelling, hardware and integration."""
    labelling = money.labelling
    labels = measured.labelled * labelling.minutes_per_picture / 60 * labelling.wage_per_hour
    hardware = computers(money, measured.seconds) * money.introduction.hardware
    return labels, hardware, money.introduction.integration


def computers(money: Money, seconds: float) -> int:
    """How many of the machine that was measured on are needed to keep up."""
    needed = money.volume.pictures_per_day * seconds / (money.volume.hours_per_day * 3600)
    return max(1, math.ceil(needed))


def payback(once: float, saving: float) -> float | None:
    """Months until savings have paid for it; None: never."""
    return MONTHS * once / saving if saving > 0 else None


def _pictures(money: Money) -> float:
    return money.volume.pictures_per_day * money.volume.days_per_year


def _mistakes(money: Money, missed: float, false_alarms: float) -> tuple[float, float]:
    """Costs a year of misses and of false alarms."""
    bad = _pictures(money) * money.volume.defect_share
    good = _pictures(money) - bad
    return bad * missed * money.errors.miss, good * false_alarms * money.errors.false_alarm


def _saving_span(money: Money, measured: Measured, seed: int) -> Span:
    now = bill_now(money).total
    value = now - bill_then(money, measured.missed.share, measured.false_alarms.share).total
    fixed = now - bill_then(money, 0, 0).total
    of_misses, of_alarms = _mistakes(money, 1, 1)
    # Both are linear in their shares.
    drawn = (
        fixed
        - of_misses * draws(measured.missed, DRAWS, seed)
        - of_alarms * draws(measured.false_alarms, DRAWS, seed + 1)
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Span(value, min(float(low), value), max(float(high), value))


def _break_even(money: Money, measured: Measured) -> tuple[float | None, float | None]:
    """The share of misses, and that of false alarms, at which the net result is nothing."""
    missed, alarms = measured.missed.share, measured.false_alarms.share
    found = []
    for best, worst in (
        (net(money, measured, 0, alarms), net(money, measured, 1, alarms)),
        (net(money, measured, missed, 0), net(money, measured, missed, 1)),
    ):
        found.append(best / (best - worst) if best >= 0 > worst else None)
    return found[0], found[1]
