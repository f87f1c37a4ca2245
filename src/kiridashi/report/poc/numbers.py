"""Figures as a reader should see them: no more digits than mean something."""

import math
from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.intervals import LEAST, Interval
from kiridashi.report.poc.document import Rate

DIGITS = 3
# How the value of a reason is written, by its name.
AMOUNTS, POINTS = {"net"}, {"gain"}
SHARES = {"needed", "value", "lost", "most", "share"}
LISTS = {"conditions", "names"}
TIMES = {"months", "needed_months", "seconds", "needed_seconds", "years"}


def number(value: float) -> str:
    """An amount with its thousands separated, of three digits that count."""
    if value == 0:
        return "0"
    places = DIGITS - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    # Nobody counts in parts of a hundredth once it is tens.
    return f"{rounded:,.{max(places, 0) if abs(rounded) < 10 else 0}f}".replace("-", "\u2212")


def amount(value: float, currency: str) -> str:
    """An amount with its currency."""
    return f"{number(value)} {currency}"


def percent(share: float) -> str:
    """`4.5 %`; whole numbers from 10 % up."""
    shown = 100 * share
    return f"{shown:.{1 if 0 < abs(shown) < 9.95 else 0}f} %".replace("-", "\u2212")


def interval(value: Interval, signed: bool = False) -> str:
    """`62.0 [55.1, 70.2]`, in percent or points."""
    sign = "+" if signed else ""
    mean, low, high = (f"{100 * one:{sign}.1f}" for one in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]".replace("-", "\u2212")


def difference(value: Interval) -> str:
    """`-12.5 [-20.1, -3.0]` in points; without the interval where there is too little to draw one from."""
    mean, low, high = (_points(one) for one in (value.mean, value.low, value.high))
    return mean if value.count < LEAST else f"{mean} [{low}, {high}]"


def _points(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return "0" if float(text) == 0 else text.replace("-", "\u2212")


def rate(value: Rate | None) -> str:
    """`4.5 % [1.2, 9.8]`."""
    if value is None:
        return "-"
    return f"{percent(value.share)} [{100 * value.low:.0f}, {100 * value.high:.0f}]"


def duration(value: float) -> str:
    """Seconds, months or years with the digits that count."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}" if value % 1 else f"{value:g}"


def months(value: float) -> str:
    """Months, with a digit behind the point for few."""
    return f"{value:.{0 if value >= 10 else 1}f}"


def written(values: Mapping[str, Any], currency: str, comma: str) -> dict[str, str]:
    """The values of a reason as text: amounts, shares and points each in their own way."""
    told = {}
    for name, value in values.items():
        if name in ("low", "high"):
            kind = "net" if "net" in values else "gain" if "gain" in values else "value"
            told[name] = _written(kind, value, currency, comma)
        else:
            told[name] = _written(name, value, currency, comma)
    return told


def _written(name: str, value: Any, currency: str, comma: str) -> str:
    if name in LISTS and not isinstance(value, str):
        return comma.join(map(str, value))
    if isinstance(value, str):
        return value
    if name in AMOUNTS:
        return amount(value, currency)
    if name in POINTS:
        return f"{100 * value:+.1f}".replace("-", "\u2212")
    if name in SHARES and isinstance(value, float):
        return percent(value)
    if name in TIMES:
        return months(value) if "months" in name else duration(value)
    return f"{value:,}"
