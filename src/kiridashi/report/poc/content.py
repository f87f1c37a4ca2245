"""What the report says, put into words and charts before it is laid out."""

from collections.abc import Mapping
from typing import Any

from kiridashi.evaluate.intervals import FEW, LEAST
from kiridashi.evaluate.pictures.sets import ANY
from kiridashi.report.charts import learning
from kiridashi.report.page.messages import Messages
from kiridashi.report.page.thumbnails import embed
from kiridashi.report.poc import numbers
from kiridashi.report.poc.charts import bills, comparison, payback, tornado
from kiridashi.report.poc.document import (
    CaseReport,
    Cell,
    Decision,
    Document,
    Failure,
    Kept,
    Option,
    Swing,
    Worth,
)

SHOWN_FAILURES, SIDE = 12, 300
ENOUGH_SHARE = 0.95
LEAST_PLAIN = 0.1


class Words:
    """Texts and figures in the reader's language.

    Args:
        say: the texts.
        currency: behind amounts.
    """

    def __init__(self, say: Messages, currency: str) -> None:
        self.say, self.currency = say, currency

    def amount(self, value: float) -> str:
        """With its currency."""
        return numbers.amount(value, self.currency)

    def told(self, key: str, values: Mapping[str, Any]) -> str:
        """A text with figures in it."""
        values = {
            name: self.transform(value) if name == "transform" else value for name, value in values.items()
        }
        return self.say(key, **numbers.written(values, self.currency, self.say("comma")))

    def transform(self, name: str) -> str:
        """A transformation as the reader should know it."""
        key = "transform_" + name.replace("-", "_")
        return self.say(key) if self.say.has(key) else name

    def chart_title(self, *parts: str) -> str:
        """For those who cannot see a chart."""
        return self.say("comma").join(parts)


def overview(document: Document, words: Words) -> list[dict[str, str]]:
    """A row a use case; none for a single one."""
    if len(document.cases) < 2:
        return []
    return [
        {
            "name": case.name,
            "decision": case.decision,
            "method": case.recommended,
            "iou": numbers.interval(case.option.iou),
            "missed": numbers.rate(case.option.missed),
            "net": words.amount(case.worth.net.value) if case.worth else "-",
            "payback": payback_text(case.worth, words) if case.worth else "-",
        }
        for case in document.cases
    ]


def counts(case: CaseReport, words: Words) -> list[tuple[str, str]]:
    """The figures at the top: (figure, what it is)."""
    say, option = words.say, case.option
    figures = [
        (f"{case.pictures:,}", say("pictures")),
        (f"{case.tested:,}", say("tested_count")),
        (f"{100 * option.iou.mean:.0f} %", say("iou_mean")),
        (numbers.percent(1 - option.missed.share), say("found_share")),
        (numbers.duration(round(option.seconds, 2)), say("seconds_each")),
    ]
    if case.worth is not None:
        years = numbers.duration(case.worth.years)
        figures.append((words.amount(case.worth.net.value), say("net_short", years=years)))
    return figures


def question(case: CaseReport, words: Words) -> str:
    """The question in one sentence."""
    return case.question or words.say("question", name=case.name)


def reasons(case: CaseReport, words: Words) -> list[tuple[str, str, str]]:
    """(weight, its name, text) of every reason."""
    return [
        (
            reason.weight or "none",
            words.say(f"for_{reason.weight or 'none'}"),
            words.told(f"why_{reason.key}", reason.values),
        )
        for reason in case.reasons
    ]


def checks(case: CaseReport, words: Words) -> list[tuple[bool, str]]:
    """(fulfilled, text) of the checklist."""
    return [
        (check.fulfilled, words.told(f"check_{check.key}_{str(check.fulfilled).lower()}", check.values))
        for check in case.checks
    ]


def data_facts(case: CaseReport, words: Words) -> list[tuple[str, str]]:
    """What is known of the pictures."""
    say = words.say
    listed = [
        say("of_class", name=_class_name(name, words), count=count) for name, count in case.classes.items()
    ]
    listed.append(say("of_class", name=say("nothing_there"), count=case.empty))
    rows = [
        (say("folder"), case.data),
        (say("classes"), say("comma").join(listed)),
        (say("licence"), case.licence or say("unknown")),
    ]
    return [*rows, (say("note"), case.note)] if case.note else rows


def conditions(case: CaseReport, words: Words) -> list[dict[str, Any]]:
    """A row a value of a tag."""
    say = words.say
    rows = []
    for one in case.conditions:
        state = "not_covered" if not one.pictures else "is_untested" if one.iou is None else "is_covered"
        rows.append(
            {
                "name": one.name,
                "value": one.value,
                "planned": say("yes") if one.planned else "",
                "pictures": f"{one.pictures:,}",
                "covered": say(state),
                "good": state == "is_covered",
                "iou": "-" if one.iou is None else numbers.interval(one.iou),
            }
        )
    return rows


def empty_text(case: CaseReport, words: Words) -> str:
    """How many pictures false alarms were counted on."""
    if not case.empty:
        known = case.option.false_alarms is not None
        return words.say("empty_none" if known else "empty_nowhere")
    return words.say("empty_pictures", count=case.empty)


def options_chart(case: CaseReport, words: Words, needed: float | None) -> str:
    """The methods' IoU beside each other."""
    rows = [(option.method, option.iou) for option in case.options]
    title = words.chart_title(words.say("options"), words.say("iou_mean"))
    return comparison.draw(rows, title, words.say("iou_mean"), case.recommended, needed)


def learning_chart(case: CaseReport, words: Words) -> str | None:
    """The learning curve; None with one number of shots."""
    if len({point.shots for point in case.curve}) < 2:
        return None
    say = words.say
    most = max(point.shots for point in case.curve)
    enough = case.enough if case.enough is not None and case.enough < most else None
    return learning.draw(case.curve, say("learning"), say("shots_axis"), say("iou_mean"), enough)


def learning_text(case: CaseReport, words: Words) -> str:
    """How many shots are enough, in a sentence."""
    most = max(point.shots for point in case.curve)
    if len({point.shots for point in case.curve}) < 2:
        return words.say("one_number")
    if case.enough is None or case.enough >= most:
        return words.say("not_enough", method=case.recommended, most=most)
    share = f"{ENOUGH_SHARE:.0%}"
    return words.say("enough", method=case.recommended, enough=case.enough, most=most, share=share)


def matrix(case: CaseReport, words: Words) -> dict[str, Any] | None:
    """The robustness of the recommended option: rows of transformations, columns of strengths."""
    cells = [cell for cell in case.cells if cell.method == case.recommended]
    if not cells:
        return None
    strengths = sorted({cell.severity for cell in cells})
    rows = []
    for name in dict.fromkeys(cell.transform for cell in cells):
        own = {cell.severity: cell for cell in cells if cell.transform == name}
        shown = [_cell(own.get(severity)) for severity in strengths]
        rows.append((words.transform(name), any(cell.expected for cell in own.values()), shown))
    plain = cells[0].iou.mean - cells[0].change.mean
    return {"strengths": strengths, "rows": rows, "plain": f"{100 * plain:.0f} %"}


def gallery(case: CaseReport, words: Words) -> list[dict[str, Any]]:
    """The worst answers with their pictures."""
    return [_shown(failure, words) for failure in case.failures[:SHOWN_FAILURES]]


def forgetting(case: CaseReport, words: Words) -> list[str]:
    """What is known of it, in sentences; the verdict where it was measured comes in `forgetting_verdict`."""
    say, found = words.say, case.forgetting
    if found.key == "one_class":
        return [say("forgetting_one_class")]
    told = [say("forgetting_alone", method=case.recommended)]
    return [
        *told,
        say("forgetting_lead") if found.measured else words.told(f"forgetting_{found.key}", found.values),
    ]


def forgetting_verdict(case: CaseReport, words: Words) -> list[str]:
    """Whether earlier classes are lost, and what cannot be said."""
    found = case.forgetting
    told = [words.told(f"forgetting_{found.key}", found.values)]
    if found.faint and found.key != "blank":
        told.append(words.told("forgetting_faint", {"names": found.faint}))
    if found.untold:
        told.append(words.told("forgetting_untold", {"names": found.untold}))
    if found.key != "few" and any(row.pictures < FEW for row in found.rows):
        told.append(words.say("forgetting_coarse", few=FEW))
    return told


def forgetting_rows(case: CaseReport, words: Words) -> list[dict[str, str]]:
    """A row a class in the order of teaching."""
    return [_kept(row, words) for row in case.forgetting.rows]


def left_out(case: CaseReport, words: Words) -> str:
    """What was not measured, in the reader's language."""
    return words.say("semicolon").join(words.told(one.key, one.values) for one in case.missing)


def money_facts(worth: Worth, option: Option, words: Words) -> list[tuple[str, str]]:
    """The reckoning in rows."""
    say, amount = words.say, words.amount
    parts = say(
        "once_parts",
        labelling=amount(worth.labelling),
        hardware=amount(worth.hardware),
        integration=amount(worth.integration),
        computers=worth.computers,
    )
    return [
        (say("saving"), _span(worth.saving.value, worth.saving.low, worth.saving.high, words)),
        (say("once"), say("with_parts", sum=amount(worth.once), parts=parts)),
        (
            say("net", years=numbers.duration(worth.years)),
            _span(worth.net.value, worth.net.low, worth.net.high, words),
        ),
        (say("payback"), payback_text(worth, words)),
        (say("break_even"), _break_even(worth, option, words)),
    ]


def payback_text(worth: Worth, words: Words) -> str:
    """Months until it has paid, and at the lower end."""
    say = words.say
    if worth.payback_months is None:
        return say("never")
    middle = numbers.months(worth.payback_months)
    worst = say("never") if worth.payback_worst is None else numbers.months(worth.payback_worst)
    return (
        say("months", months=middle) if worst == middle else say("months_worst", months=middle, worst=worst)
    )


def bills_chart(worth: Worth, words: Words) -> str:
    """A year now and then."""
    say = words.say

    def name(key: str) -> str:
        return say("false_alarms_cost") if key == "false_alarms" else say(key)

    rows = [(say("year_now"), worth.now), (say("year_then"), worth.then)]
    return bills.draw(rows, say("money"), name, words.amount)


def payback_chart(worth: Worth, words: Words) -> str:
    """The money over time."""
    say = words.say
    after = "" if worth.payback_months is None else numbers.months(worth.payback_months)
    title = words.chart_title(say("payback_chart"), words.currency)
    return payback.draw(worth, title, say("payback_axis"), numbers.number, say("pays_after", months=after))


def tornado_chart(worth: Worth, words: Words) -> str:
    """What the result depends on."""

    def end(swing: Swing, value: float) -> str:
        return numbers.percent(value) if swing.share else numbers.number(value)

    def name(swing: Swing) -> str:
        return words.say(f"lever_{swing.key}")

    title = words.chart_title(words.say("tornado"), words.currency)
    return tornado.draw(worth.swings, worth.net.value, title, name, end, numbers.number)


def privacy(document: Document, words: Words) -> list[str]:
    """What was done with the pictures, and what to look at."""
    say = words.say
    shown = any(failure.panels for case in document.cases for failure in case.failures)
    told = [say("privacy_local"), say("privacy_kept", shown=say("shown_some" if shown else "shown_none"))]
    states = {True: "people_yes", False: "people_no", None: "people_unknown"}
    told += [say(states[case.people], name=case.name) for case in document.cases]
    return [*told, document.privacy] if document.privacy else told


def facts(told: Mapping[str, str], words: Words) -> list[tuple[str, str]]:
    """How it can be traced; versions keep the names of their packages."""
    keys = [(f"fact_{name.replace(' ', '_')}", name, value) for name, value in told.items()]
    return [(words.say(key) if words.say.has(key) else name, value) for key, name, value in keys]


def licences(document: Document, words: Words) -> list[tuple[str, str, str]]:
    """(what, licence, remark) of pictures, models and libraries."""
    say = words.say
    own = [
        (say("licence_of_data", name=case.name), case.licence or say("unknown"), case.data)
        for case in document.cases
    ]
    return [
        *own,
        *(
            (what, licence or say("unknown"), say(remark) if say.has(remark) else remark)
            for what, licence, remark in document.licences
        ),
    ]


def decision_class(decision: Decision) -> str:
    """Of the style sheet."""
    return decision.value


def _cell(cell: Cell | None) -> dict[str, str]:
    if cell is None:
        return {"text": "-", "change": "", "level": "none"}
    plain = cell.iou.mean - cell.change.mean
    lost = -cell.change.mean / plain if plain > 0 else 0.0
    # Where there was nothing to lose, nothing can be said.
    level = "none" if plain < LEAST_PLAIN else "more" if lost > 0.25 else "some" if lost > 0.1 else "little"
    points = round(100 * cell.change.mean)
    change = f"{points:+d}".replace("-", "\u2212") if points else "0"
    return {"text": f"{100 * cell.iou.mean:.0f} %", "change": change, "level": level}


def _kept(row: Kept, words: Words) -> dict[str, str]:
    say, none = words.say, words.say("forgetting_none_taken")
    taken = say("comma").join(f"{name} {count}" for name, count in row.taken) or none
    change, iou = row.change, row.iou_change
    lost = change is not None and change.count >= LEAST and change.high < 0
    return {
        "name": row.name,
        "pictures": f"{row.pictures:,}",
        "named": say("forgetting_ends", before=_whole(row.before), after=_whole(row.after)),
        "overlap": say("forgetting_ends", before=_whole(row.iou_before), after=_whole(row.iou_after)),
        "change": say("forgetting_last") if change is None else numbers.difference(change),
        "iou": "-" if iou is None else numbers.difference(iou),
        "taken": "-" if change is None else taken,
        "tone": "down" if lost else "",
    }


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"


def _shown(failure: Failure, words: Words) -> dict[str, Any]:
    iou = words.say("panel_none") if failure.iou is None else f"IoU {100 * failure.iou:.0f} %"
    panels = [(words.say(key), embed(pixels, SIDE)) for key, pixels in failure.panels]
    return {
        "picture": failure.picture,
        "label": _class_name(failure.label, words),
        "iou": iou,
        "panels": panels,
    }


def _class_name(name: str, words: Words) -> str:
    return words.say("any_class") if name == ANY else name


def _span(value: float, low: float, high: float, words: Words) -> str:
    ends = f"[{numbers.number(low)}, {numbers.number(high)}]"
    return f"{words.amount(value)} {ends}"


def _break_even(worth: Worth, option: Option, words: Words) -> str:
    say, told = words.say, []
    if worth.most_missed is not None:
        limit, value = numbers.percent(worth.most_missed), numbers.percent(option.missed.share)
        told.append(say("break_even_missed", limit=limit, value=value))
    if worth.most_false_alarms is not None and option.false_alarms is not None:
        limit = numbers.percent(worth.most_false_alarms)
        value = numbers.percent(option.false_alarms.share)
        told.append(say("break_even_alarms", limit=limit, value=value))
    if told:
        return say("comma").join(told)
    return say("break_even_always" if worth.net.value > 0 else "break_even_none")
