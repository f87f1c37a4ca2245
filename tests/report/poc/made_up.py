"""A report of a trial that nobody made, with something in every section."""

from dataclasses import replace

import numpy as np

from kiridashi.evaluate.intervals import Interval
from kiridashi.report.charts.learning import CurvePoint
from kiridashi.report.poc.document import (
    Bill,
    CaseReport,
    Cell,
    Check,
    Condition,
    Decision,
    Document,
    Failure,
    Forgetting,
    Kept,
    Missing,
    Option,
    Rate,
    Reason,
    Span,
    Swing,
    Worth,
)


def interval(mean: float, half: float = 0.05, count: int = 60) -> Interval:
    return Interval(mean, mean - half, mean + half, count)


def option(method: str, iou: float = 0.6, gain: float | None = 0.1) -> Option:
    lead = None if gain is None else interval(gain, 0.04)
    missed, alarms = Rate(0.05, 0.01, 0.13, 60), Rate(0.1, 0.03, 0.25, 30)
    return Option(method, 10, interval(iou), lead, missed, alarms, 12.3, 0.84, 912.0, "Apache-2.0")


def worth(method: str = "concat", saving: float = 100_000.0) -> Worth:
    span = Span(saving, saving - 40_000, saving + 30_000)
    once = (76.0, 2500.0, 12_000.0)
    net = Span(*(3 * one - sum(once) for one in (span.value, span.low, span.high)))
    now = Bill(48_000, 28_750, 4_500, 0)
    then = Bill(9_600, 12_000, 2_000, 4_000)
    swings = (
        Swing("missed", 0.01, 0.13, net.value + 20_000, net.value - 90_000, measured=True, share=True),
        Swing("volume", 1750, 3250, net.value - 80_000, net.value + 80_000, measured=False, share=False),
        Swing("wage", 26.6, 49.4, net.value - 30_000, net.value + 30_000, measured=False, share=False),
        Swing("hardware", 1750, 3250, net.value + 750, net.value - 750, measured=False, share=False),
    )
    paid = 12 * sum(once) / saving if saving > 0 else None
    return Worth(method, now, then, *once, 1, span, net, 3.0, paid, paid, 0.31, 0.4, swings)


def failure(shown: bool = True) -> Failure:
    pixels = np.full((60, 80, 3), 120, np.uint8)
    panels = [(key, pixels) for key in ("panel_picture", "panel_truth", "panel_answer")] if shown else ()
    return Failure("cover_0042_with_a_rather_long_name_of_its_file", "scratch", "concat", 0.04, panels)


REASONS = (
    Reason(Decision.HOLD, "unseen", {"conditions": ("light: night", "angle: steep")}),
    Reason(
        Decision.HOLD, "not_robust", {"transform": "sensor-blur", "severity": 3, "lost": 0.41, "most": 0.25}
    ),
    Reason(Decision.GO, "pays", {"net": 285_424.0, "low": 165_424.0, "high": 375_424.0, "years": 3.0}),
    Reason(
        Decision.GO,
        "gain_sure",
        {"method": "concat", "baseline": "forest", "gain": 0.1, "low": 0.06, "high": 0.14},
    ),
    Reason(None, "left_out"),
)


FORGETTING = Forgetting(
    "lost",
    {"names": ("scratch",), "name": "scratch", "gain": -0.4, "low": -0.7, "high": -0.1},
    (
        Kept(
            *("scratch", 10, 0.9, 0.5, interval(-0.4, 0.3, 10)),
            *(0.5, 0.3, interval(-0.2, 0.1, 10)),
            (("dent", 3),),
        ),
        Kept("dent", 10, 0.8, 0.8, None, 0.6, 0.6, None),
    ),
    10,
    ("stain",),
)


def case(name: str = "scratches on covers", shown: bool = True) -> CaseReport:
    options = (
        option("concat"),
        option("prototype", 0.52, 0.02),
        option("forest", 0.5, None),
        option("unet", 0.3, -0.2),
    )
    curve = [
        CurvePoint(one.method, shots, interval(one.iou.mean * (0.6 + 0.04 * shots), 0.06))
        for one in options
        for shots in (1, 3, 10)
    ]
    cells = [
        Cell(
            "concat",
            transform,
            severity,
            interval(0.6 - drop * severity),
            interval(-drop * severity),
            transform == "sensor-blur",
        )
        for transform, drop in (("lighting-gamma", 0.02), ("sensor-blur", 0.08), ("viewpoint", 0.001))
        for severity in (1, 3, 5)
    ]
    checks = (
        Check(True, "enough", {"least": 30, "names": ()}),
        Check(False, "empty", {"count": 4, "least": 10}),
        Check(False, "planned", {"names": ("light: night",)}),
        Check(False, "twins", {"count": 2, "names": ("a.jpg", "b.jpg")}),
    )
    conditions = (
        Condition("light", "day", 60, interval(0.63), planned=True),
        Condition("light", "night", 0, None, planned=True),
        Condition("line", "2", 3, None, planned=False),
    )
    return CaseReport(
        name=name,
        question=None,
        data="covers",
        pictures=72,
        classes={"scratch": 40, "dent": 28},
        empty=4,
        tested=58,
        conditions=conditions,
        note="One camera above the belt, ring light, taken in one week.",
        checks=checks,
        baseline="forest",
        options=options,
        curve=curve,
        enough=3,
        cells=cells,
        failures=[failure(shown)] * 4,
        forgetting=FORGETTING,
        worths=(worth(), worth("forest", 20_000.0)),
        decision=Decision.HOLD,
        recommended="concat",
        reasons=REASONS,
        needed_iou=0.5,
        by_cost=True,
        uncertainty=0.3,
        missing=(
            Missing("unet, 10 shots, seed 1", "missing_unit", {"method": "unet", "shots": "10", "seed": "1"}),
        ),
        licence=None,
        people=False,
        facts={"data": "sha256:0123456789abcdef" * 3, "run folder": "scratches-on-covers"},
    )


def document(cases: int = 1, shown: bool = True) -> Document:
    names = ["scratches on covers", "dents <b>& more</b>", "third"]
    made = [case(name, shown) for name in names[:cases]]
    if cases > 1:
        made[1] = replace(
            made[1], worths=(), decision=Decision.STOP, conditions=(), cells=(), curve=made[1].curve[:1]
        )
    licences = [
        ("model compact", "Apache-2.0", "inside the package"),
        ("scikit-image", "BSD-3-Clause", "forest"),
    ]
    facts = {"seed": "0", "site file": "sha256:" + "ab" * 32, "python": "3.11.9"}
    return Document(
        "Surface inspection, line 2", "EUR", made, licences, "Pictures stay on this computer.", facts
    )
