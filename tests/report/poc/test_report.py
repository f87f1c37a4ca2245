"""The report of a trial that nobody made, in both languages."""

import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.report.poc.made_up import FORGETTING, case, document, failure, option, worth

from kiridashi.evaluate.intervals import Interval
from kiridashi.poc import rules
from kiridashi.report.charts import learning, svg
from kiridashi.report.page import LANGUAGES
from kiridashi.report.page.messages import Messages
from kiridashi.report.poc import numbers, render, write_report
from kiridashi.report.poc.charts import bills, comparison, payback, tornado
from kiridashi.report.poc.document import Document, Forgetting, Missing
from kiridashi.report.poc.rendering import PACKAGE

TEXTS = Path(render.__code__.co_filename).with_name("messages.toml")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_is_there(language: str) -> None:
    page, say = render(document(), language), Messages(language, PACKAGE)
    sections = "data checklist options learning robustness gallery forgetting money licences privacy trace"
    for name in sections.split():
        assert f"<h2>{say(name)}</h2>" in page, name
    assert say("hold_means") in page
    assert page.count("<svg") == 5


class Balance(HTMLParser):
    """Counts what is opened and not closed."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_needs_nothing_beside_it(language: str) -> None:
    page = render(document(2), language)
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "dents &lt;b&gt;&amp; more&lt;/b&gt;" in page
    assert "<b>& more" not in page


def test_charts_keep_their_text_as_text() -> None:
    page = render(document(), "ja")
    chart = page[page.index("<svg") : page.index("</svg>")]
    assert "<text" in chart
    assert "平均 IoU" in chart
    assert 'font-family="inherit"' in chart


def test_pictures_are_left_out_where_they_may_not_be_shown() -> None:
    assert "data:image" in render(document())
    hidden = render(document(shown=False))
    assert "data:image" not in hidden
    assert failure().picture in hidden


def test_all_texts_are_there_in_both_languages_with_the_same_figures() -> None:
    table = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    for key, each in table.items():
        assert set(each) == set(LANGUAGES), key
        assert len({tuple(sorted(re.findall(r"{(\w+)}", text))) for text in each.values()}) == 1, key


def test_every_reason_of_the_rules_has_a_text() -> None:
    source = Path(rules.__file__).read_text(encoding="utf-8")
    keys = set(re.findall(r'Reason\((?:\w+|[^"()]*), "(\w+)"', source))
    keys |= {name for pair in re.findall(r'"(\w+)" if \w[\w.]* else "(\w+)"', source) for name in pair}
    keys |= {f"{name}_{end}" for name in ("iou", "found") for end in ("reached", "open", "missed")}
    assert len(keys) > 25
    say = Messages("en", PACKAGE)
    assert [key for key in keys if not say.has(f"why_{key}")] == []


def with_forgetting(found: Forgetting) -> Document:
    made = document()
    return replace(made, cases=[replace(made.cases[0], forgetting=found)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_forgetting_has_its_table_and_verdict(language: str) -> None:
    page, say = render(document(), language), Messages(language, PACKAGE)
    section = page[page.index(f"<h2>{say('forgetting')}</h2>") :].partition("</section>")[0]
    assert say("forgetting_alone", method="concat") in section
    assert say(
        "forgetting_lost", names="scratch", name="scratch", gain="−40.0", low="−70.0", high="−10.0"
    ) in (section)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", section)
    assert cells[:4] == ["scratch", "10", "90 → 50", "−40.0 [−70.0, −10.0]"]
    assert cells[4:7] == ["50 → 30", "−20.0 [−30.0, −10.0]", "dent 3"]
    assert cells[7:] == ["dent", "10", "80 → 80", say("forgetting_last"), "60 → 60", "-", "-"]
    assert say("forgetting_untold", names="stain") in section
    assert say("forgetting_coarse", few=20) in section
    assert 'class="number down"' in section


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["one_class", "not_asked", "missing", "failed"])
def test_forgetting_that_was_not_measured_says_why(language: str, key: str) -> None:
    values = {"reason": "the model draws no masks"} if key == "failed" else {}
    say = Messages(language, PACKAGE)
    page = render(with_forgetting(Forgetting(key, values)), language)
    section = page[page.index(f"<h2>{say('forgetting')}</h2>") :].partition("</section>")[0]
    assert say(f"forgetting_{key}", **values) in section
    assert "<table" not in section


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["open", "kept", "blank", "few"])
def test_every_verdict_on_forgetting_has_a_text(language: str, key: str) -> None:
    values = {"least": 5, "names": ("scratch",), "name": "scratch", "gain": 0.0, "low": -0.1, "high": 0.1}
    found = replace(FORGETTING, key=key, values=values, faint=("dent",))
    page, say = render(with_forgetting(found), language), Messages(language, PACKAGE)
    assert say(f"forgetting_{key}", least=5, name="scratch", gain="+0.0", low="−10.0", high="+10.0") in page
    assert (say("forgetting_faint", names="dent") in page) == (key != "blank")


def test_what_was_left_out_is_told_in_the_readers_language() -> None:
    made = document()
    values = {"method": "unet", "shots": "10", "seed": "1"}
    keys = ("missing_unit", "missing_transformed", "missing_growing")
    missing = [Missing("plain", key, values) for key in keys]
    missing.append(Missing("dent: 10 shots", "missing_pictures", {"name": "dent", "shots": 10}))
    page = render(replace(made, cases=[replace(made.cases[0], missing=missing)]), "ja")
    assert "unet（お手本 10 枚、乱数種 1）；unet（お手本 10 枚、乱数種 1、画像の変換）" in page
    assert "クラスの順次登録（お手本 10 枚、乱数種 1）；dent（お手本 10 枚、画像不足）" in page
    assert "shots" not in page
    assert "unet, 10 shots, seed 1" in render(made)


def test_differences_without_enough_pictures_have_no_interval() -> None:
    assert numbers.difference(Interval(-0.25, -0.5, 0, 4)) == "−25.0"
    assert numbers.difference(Interval(-0.25, -0.5, 0, 5)) == "−25.0 [−50.0, 0]"
    assert numbers.difference(Interval(-0.0001, -0.0003, 0.0, 9)) == "0 [0, 0]"


def test_it_is_written_in_one_piece(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", document(), "ja")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith('<!DOCTYPE html>\n<html lang="ja">')


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,230,000"), (-1234.4, "−1,230"), (76.04, "76"), (0.4567, "0.457"), (9.996, "10")],
)
def test_amounts_have_the_digits_that_count(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_shares_and_rates_are_told_in_percent() -> None:
    assert numbers.percent(0.0456) == "4.6 %"
    assert numbers.percent(0.456) == "46 %"
    assert numbers.percent(0) == "0 %"
    assert numbers.rate(None) == "-"
    assert numbers.interval(option("concat").iou, signed=True) == "+60.0 [+55.0, +65.0]"


def places(chart: str) -> list[tuple[float, float]]:
    found = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)"', chart)
    return [(float(x), float(y)) for x, y in found]


def inside(chart: str) -> bool:
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart)[0])
    return all(0 <= x <= width and 0 <= y <= height for x, y in places(chart))


LONG = "とても長い名前の手法" * 2


def test_marks_stay_inside_of_their_charts() -> None:
    made = case()
    rows = [(LONG, one.iou) for one in made.options]
    amount = "{:,.0f} ¥".format
    drawn = [
        comparison.draw(rows, "t", "axis", LONG, 0.5),
        learning.draw(made.curve, "t", "across", "up", 3),
        payback.draw(worth(), "t", "months", amount, "after 2 months"),
        payback.draw(worth(saving=-5.0), "t", "months", amount, ""),
        tornado.draw(worth().swings, 1e5, "t", lambda _: LONG, lambda _, v: amount(v), amount),
        bills.draw([("now", worth().now), ("then", worth().then)], "t", str, amount),
    ]
    for chart in drawn:
        assert inside(chart), chart[:200]
    # The break-even is marked only where there is one.
    assert "after 2 months" in drawn[2]
    assert drawn[3].count("<circle") == 0


def test_names_at_the_ends_of_lines_do_not_lie_on_each_other() -> None:
    points = [point for point in case().curve if point.method in ("prototype", "forest")]
    chart = learning.draw(points, "t", "across", "up", None)
    found = {name: float(y) for y, name in re.findall(r'y="([\d.]+)"[^>]*>(prototype|forest)</text>', chart)}
    assert abs(found["prototype"] - found["forest"]) >= 16


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3e5, 2.5e6), (0, 0.37), (5, 5)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    assert 1 <= len(found) <= 12
