"""Which of the inputs decides: each is moved to its ends while the others stay (a tornado chart's bars)."""

from collections.abc import Iterator
from typing import Any

from kiridashi.poc.money.reckoning import Measured, net
from kiridashi.poc.site.schema import Money
from kiridashi.report.poc.document import Swing

# Key of the name, and where the amount stands.
LEVERS = (
    ("wage", ("current", "wage_per_hour")),
    ("looking", ("current", "seconds_per_picture")),
    ("other_costs", ("current", "cost_per_year")),
    ("miss_now", ("current", "miss_rate")),
    ("alarm_now", ("current", "false_alarm_rate")),
    ("volume", ("volume", "pictures_per_day")),
    ("defect_share", ("volume", "defect_share")),
    ("miss_cost", ("errors", "miss")),
    ("alarm_cost", ("errors", "false_alarm")),
    ("labelling", ("labelling", "minutes_per_picture")),
    ("hardware", ("introduction", "hardware")),
    ("integration", ("introduction", "integration")),
    ("upkeep", ("introduction", "upkeep_per_year")),
    ("labour_left", ("introduction", "labour_left")),
)
SHARES = {"miss_now", "alarm_now", "defect_share", "labour_left"}
# A swing of less than this share of the widest decides nothing.
LEAST_SWING = 0.005


def swings(money: Money, measured: Measured) -> list[Swing]:
    """The inputs that move the net result, widest first.

    What was measured goes to the ends of its interval, what the site wrote down to either side by its own
    uncertainty.
    """
    found = [*_of_measured(money, measured), *_of_site(money, measured)]
    widest = max(swing.width for swing in found)
    told = [swing for swing in found if swing.width > LEAST_SWING * widest]
    return sorted(told, key=lambda swing: -swing.width)


def _of_measured(money: Money, measured: Measured) -> Iterator[Swing]:
    missed, alarms = measured.missed, measured.false_alarms
    for key, rate, of_missed in (("missed", missed, True), ("false_alarms", alarms, False)):
        low, high = (
            net(money, measured, share if of_missed else missed.share, alarms.share if of_missed else share)
            for share in (rate.low, rate.high)
        )
        yield Swing(key, rate.low, rate.high, low, high, measured=True, share=True)


def _of_site(money: Money, measured: Measured) -> Iterator[Swing]:
    for key, (part, name) in LEVERS:
        value = float(getattr(getattr(money, part), name))
        if not value:
            continue
        most = 1.0 if key in SHARES else float("inf")
        low, high = value * (1 - money.uncertainty), min(value * (1 + money.uncertainty), most)
        results = [_net(_with(money, part, name, end), measured) for end in (low, high)]
        yield Swing(key, low, high, results[0], results[1], measured=False, share=key in SHARES)


def _with(money: Money, part: str, name: str, value: Any) -> Money:
    changed = getattr(money, part).model_copy(update={name: value})
    return money.model_copy(update={part: changed})


def _net(money: Money, measured: Measured) -> float:
    return net(money, measured, measured.missed.share, measured.false_alarms.share)
