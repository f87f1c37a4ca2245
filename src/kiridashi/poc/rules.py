"""Go, hold or stop: every rule, and every limit in it, stands here.

Each rule looks at one thing and gives reasons. One reason to stop stops; else one reason to hold holds; go
needs a reason to go. With too few pictures nothing is so sure that it could stop: then it is hold.

What is uncertain counts by its 95 % interval: a need is met when the lower end meets it, missed when the
upper end misses it, and open in between.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kiridashi.evaluate.intervals import LEAST, Interval
from kiridashi.poc.site.schema import Needed
from kiridashi.report.poc.document import Cell, Decision, Kept, Option, Reason, Worth

GO, HOLD, STOP = Decision.GO, Decision.HOLD, Decision.STOP
# Different test pictures with the object, and without any, below which nothing is decided.
LEAST_WITH, LEAST_WITHOUT = 20, 10
# Share of its IoU that an option may lose under what the site expects, up to this severity.
MOST_LOST, USUAL_SEVERITY = 0.25, 3
# IoU on plain pictures, or share of right names, below which there is nothing that could be lost.
LEAST_PLAIN = 0.1
# Share of its test pictures that a class may lose to those that are taught after it.
MOST_FORGOTTEN = 0.05


@dataclass(frozen=True)
class Evidence:
    """What the rules look at.

    Attributes:
        option: the one that is judged.
        baseline: method that gains are to.
        needed: what the site asks for.
        worth: what the option brings; None: the site gave no money.
        empty: different test pictures without any object.
        cells: of the option's robustness.
        expected: transformations that the site expects.
        unseen: planned conditions without a picture, as "tag: value".
        left_out: whether the budget of time left something out.
        taught: the classes, taught one after another.
        will_grow: whether the site says that classes will be added; None: it says nothing.
    """

    option: Option
    baseline: str
    needed: Needed
    worth: Worth | None = None
    empty: int = LEAST_WITHOUT
    cells: Sequence[Cell] = ()
    expected: Sequence[str] = ()
    unseen: Sequence[str] = ()
    left_out: bool = False
    taught: Sequence[Kept] = ()
    will_grow: bool | None = None

    @property
    def has_goal(self) -> bool:
        """Whether anything says what is good enough."""
        return self.worth is not None or self.needed.iou is not None or self.needed.found is not None


def choose(options: Sequence[Option], worths: Sequence[Worth]) -> Option:
    """The option that is judged: the highest net result; without money or where none gains, the highest IoU.

    Among options that all lose money the one that loses least is often the one that finds least.
    """
    gains = {worth.method: max(worth.net.value, 0.0) for worth in worths}
    return max(options, key=lambda option: (gains.get(option.method, 0.0), option.iou.mean))


def decide(evidence: Evidence) -> tuple[Decision, tuple[Reason, ...]]:
    """The decision, and its reasons with the gravest first."""
    reasons = [reason for rule in RULES for reason in rule(evidence)]
    weights = {reason.weight for reason in reasons}
    thin = any(reason.key == "too_few_with" for reason in reasons)
    if STOP in weights and not thin:
        decision = STOP
    elif {STOP, HOLD} & weights or GO not in weights:
        decision = HOLD
    else:
        decision = GO
    order = [STOP, HOLD, GO, None]
    return decision, tuple(sorted(reasons, key=lambda reason: order.index(reason.weight)))


def pictures_rule(evidence: Evidence) -> Iterator[Reason]:
    """There must be enough test pictures to say anything."""
    count = evidence.option.missed.count
    if count < LEAST_WITH:
        yield Reason(HOLD, "too_few_with", {"count": count, "least": LEAST_WITH})
    if evidence.worth is not None and evidence.empty < LEAST_WITHOUT:
        key = "too_few_without" if evidence.empty else "none_without"
        yield Reason(HOLD, key, {"count": evidence.empty, "least": LEAST_WITHOUT})


def goal_rule(evidence: Evidence) -> Iterator[Reason]:
    """Without a goal nobody can say go."""
    if not evidence.has_goal:
        yield Reason(HOLD, "no_goal")


def gain_rule(evidence: Evidence) -> Iterator[Reason]:
    """It must do better than the simpler tool, unless the money itself tells them apart."""
    option, names = evidence.option, {"method": evidence.option.method, "baseline": evidence.baseline}
    gain = option.gain
    if gain is None:
        yield Reason(None if evidence.has_goal else STOP, "baseline_best", names)
    elif gain.low > 0:
        yield Reason(GO, "gain_sure", names | _of(gain))
    elif gain.high <= 0:
        yield Reason(HOLD if evidence.worth is not None else STOP, "gain_none", names | _of(gain))
    else:
        yield Reason(None if evidence.worth is not None else HOLD, "gain_unsure", names | _of(gain))


def needs_rule(evidence: Evidence) -> Iterator[Reason]:
    """What the site asks for must be reached."""
    option, needed = evidence.option, evidence.needed
    if needed.iou is not None:
        yield _met("iou", needed.iou, option.iou.mean, option.iou.low, option.iou.high)
    if needed.found is not None:
        missed = option.missed
        yield _met("found", needed.found, 1 - missed.share, 1 - missed.high, 1 - missed.low)
    if needed.seconds is not None:
        quick = option.seconds <= needed.seconds
        values = {"seconds": option.seconds, "needed_seconds": needed.seconds}
        yield Reason(GO if quick else HOLD, "quick_enough" if quick else "too_slow", values)


def money_rule(evidence: Evidence) -> Iterator[Reason]:
    """It must pay, and soon enough."""
    worth, needed = evidence.worth, evidence.needed
    if worth is None:
        return
    net = worth.net
    values = {"net": net.value, "low": net.low, "high": net.high, "years": worth.years}
    if net.low > 0:
        yield Reason(GO, "pays", values)
    elif net.high <= 0:
        yield Reason(STOP, "pays_not", values)
    else:
        yield Reason(HOLD, "pays_unsure", values)
    if needed.payback_months is None or worth.payback_months is None:
        return
    months = {"months": worth.payback_months, "needed_months": needed.payback_months}
    if worth.payback_months > needed.payback_months:
        yield Reason(HOLD, "payback_late", months)
    elif worth.payback_worst is None or worth.payback_worst > needed.payback_months:
        yield Reason(HOLD, "payback_unsure", months)
    else:
        yield Reason(GO, "payback_soon", months)


def robustness_rule(evidence: Evidence) -> Iterator[Reason]:
    """It must stand what the site expects."""
    for name in evidence.expected:
        cells = [cell for cell in evidence.cells if cell.transform == name]
        usual = [cell for cell in cells if cell.severity <= USUAL_SEVERITY] or cells
        if not usual:
            yield Reason(HOLD, "robustness_missing", {"transform": name})
            continue
        if usual[0].iou.mean - usual[0].change.mean < LEAST_PLAIN:
            yield Reason(HOLD, "robustness_blank", {"transform": name})
            continue
        worst = min(usual, key=lambda cell: cell.change.mean)
        values = {"transform": name, "severity": worst.severity, "lost": lost(worst), "most": MOST_LOST}
        weak = lost(worst) > MOST_LOST and worst.change.high < 0
        yield Reason(HOLD if weak else GO, "not_robust" if weak else "robust", values)


def conditions_rule(evidence: Evidence) -> Iterator[Reason]:
    """What daily work brings must have been tried."""
    if evidence.unseen:
        yield Reason(HOLD, "unseen", {"conditions": tuple(evidence.unseen)})


def forgetting_rule(evidence: Evidence) -> Iterator[Reason]:
    """Who goes on teaching classes must know that it costs others; where none will come it is a remark."""
    lost_classes = [row for row in evidence.taught if is_forgotten(row)]
    if lost_classes:
        weight = None if evidence.will_grow is False else HOLD
        yield Reason(weight, "forgets", worst(lost_classes))


def budget_rule(evidence: Evidence) -> Iterator[Reason]:
    """What time did not allow is named."""
    if evidence.left_out:
        yield Reason(None, "left_out")


RULES: tuple[Callable[[Evidence], Iterator[Reason]], ...] = (
    money_rule,
    needs_rule,
    gain_rule,
    pictures_rule,
    goal_rule,
    conditions_rule,
    robustness_rule,
    forgetting_rule,
    budget_rule,
)


def lost(cell: Cell) -> float:
    """Share of its IoU that a method loses under a transformation, 0..1; 0 where it gains."""
    plain = cell.iou.mean - cell.change.mean
    return max(0.0, -cell.change.mean / plain) if plain > 0 else 0.0


def is_forgotten(row: Kept) -> bool:
    """Whether a class is surely named rightly on fewer pictures since others were taught."""
    change = row.change
    if change is None or change.count < LEAST or row.before < LEAST_PLAIN:
        return False
    return change.high < -MOST_FORGOTTEN


def is_kept(row: Kept) -> bool:
    """Whether a class has surely not lost more than it may."""
    change = row.change
    return change is not None and change.count >= LEAST and change.low >= -MOST_FORGOTTEN


def worst(rows: Sequence[Kept]) -> dict[str, Any]:
    """All names, and the figures of the class that lost most; each has a change."""
    changes = [(row.change.mean, row.name, row.change) for row in rows if row.change is not None]
    _, name, change = min(changes, key=lambda one: one[0])
    return {"names": tuple(row.name for row in rows), "name": name} | _of(change)


def _met(name: str, needed: float, value: float, low: float, high: float) -> Reason:
    values = {"needed": needed, "value": value, "low": low, "high": high}
    if low >= needed:
        return Reason(GO, f"{name}_reached", values)
    return Reason(STOP, f"{name}_missed", values) if high < needed else Reason(HOLD, f"{name}_open", values)


def _of(interval: Interval) -> dict[str, float]:
    return {"gain": interval.mean, "low": interval.low, "high": interval.high}
