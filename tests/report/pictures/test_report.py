import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from tests.evaluate.pictures.discs import ByColour, Discs, Everything

from kiridashi.evaluate.intervals import Interval, compare
from kiridashi.evaluate.pictures import Plan, measure, summarise
from kiridashi.evaluate.pictures.costs import Prices, expected_costs
from kiridashi.evaluate.pictures.measures import MEASURES
from kiridashi.evaluate.pictures.tags import by_tags
from kiridashi.report.page.messages import LANGUAGES, Messages
from kiridashi.report.pictures import Comparison, render, statement
from kiridashi.report.pictures.content import curve, facts, in_short, strips
from kiridashi.report.pictures.statements import PACKAGE

PLAN = Plan(
    Discs(),
    {"everything": Everything, "<colour>": lambda seed: ByColour(seed, shrink=12)},
    shots=(1, 3),
    seeds=(0, 1),
)
PRICES = Prices(2, 50, 0.1)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    lines = list(measure(PLAN))
    lines[0] = replace(lines[0], score=None, error="torn <b>")
    methods = list(PLAN.methods)
    tags = {f"red{n}": {"light": "dim" if n % 2 else "bright"} for n in range(8)}
    rows = summarise(lines, methods, resamples=50)
    costs = expected_costs(lines, methods, PRICES)
    return Comparison(PLAN, rows, lines, by_tags(lines, methods, tags), costs, PRICES, "compact")


class Balance(HTMLParser):
    """Whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "img"
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_one_whole_page_that_loads_nothing(comparison: Comparison, language: str) -> None:
    page = render(comparison, language)
    reader = Balance()
    reader.feed(page)
    assert reader.open == []
    assert reader.pictures > 10
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "&lt;colour&gt;" in page
    assert "<colour>" not in page
    assert "torn &lt;b&gt;" in page
    # The chart's words are words.
    assert re.search(r"<text[^>]*>&lt;colour&gt;</text>", page)
    assert "{" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_worst_first(comparison: Comparison) -> None:
    say = Messages("en", PACKAGE)
    shown = strips(comparison, say)
    below = [[text for text, _ in strip.panels[2:]] for strip in shown]
    alarms = [any("false alarm" in text for text in texts) for texts in below]
    assert any(alarms)
    assert all(any("IoU" in text or "alarm" in text or "missed" in text for text in texts) for texts in below)


def test_says_in_short_who_is_ahead(comparison: Comparison) -> None:
    told = in_short(comparison, Messages("en", PACKAGE))
    assert told[0].startswith("Best outlines at 3 shots: <colour>, IoU ")
    assert any(line.startswith("<colour> is ahead of everything in IoU") for line in told)
    assert any("in silence where nothing is" in line for line in told)


@pytest.mark.parametrize(
    ("measure_name", "low", "high", "told"),
    [
        ("iou", 0.02, 0.06, "a is ahead of b in IoU by 4.0 points (95 % interval 2.0 to 6.0, 40 pictures)."),
        ("iou", -0.06, -0.02, "a is behind b in IoU by 4.0 points (95 % interval 2.0 to 6.0, 40 pictures)."),
        (
            "iou",
            -0.02,
            0.06,
            "Between a and b no difference in IoU is shown: 2.0 points, but anything from -2.0",
        ),
        ("hd95", -6, -2, "a is ahead of b in HD95 by 4.0 pixels (95 % interval 2.0 to 6.0, 40 pictures)."),
        ("hd95", 2, 6, "a is behind b in HD95 by 4.0 pixels (95 % interval 2.0 to 6.0, 40 pictures)."),
    ],
)
def test_statements(measure_name: str, low: float, high: float, told: str) -> None:
    found = compare(
        Interval((low + high) / 2, low, high, 40), higher_is_better=MEASURES[measure_name].higher_is_better
    )
    assert statement("a", "b", measure_name, found, Messages("en", PACKAGE)).startswith(told)
    few = replace(found, few=True)
    assert "take it as a hint" in statement("a", "b", measure_name, few, Messages("en", PACKAGE))


def test_every_text_is_there_in_both_languages() -> None:
    table = tomllib.loads(files(PACKAGE).joinpath("messages.toml").read_text(encoding="utf-8"))
    for key, texts in table.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [sorted(re.findall(r"{(\w+)}", text)) for text in texts.values()]
        assert fields[0] == fields[1], key
    assert all(f"of_{name}" in table for name in MEASURES)


def test_the_curve_is_of_classes_with_every_number_of_shots() -> None:
    # Of blue discs there are five: too few for five shots.
    plan = replace(PLAN, methods={"colour": ByColour}, shots=(1, 5), seeds=(0,))
    lines = list(measure(plan))
    rows = summarise(lines, ["colour"], resamples=20)
    comparison = Comparison(plan, rows, lines, (), (), None, "compact")
    say = Messages("en", PACKAGE)
    with_red = [row for row in rows if row.label == "red"]
    assert curve(comparison, say) == curve(replace(comparison, rows=with_red), say) is not None
    assert "blue: 5" in dict(facts(comparison, say)).values()
    page = render(comparison)
    assert "2 classes" in page
    single = replace(plan, shots=(1,))
    assert curve(replace(comparison, plan=single, rows=[row for row in rows if row.shots == 1]), say) is None


@pytest.mark.parametrize(("low", "high"), [(-0.526, -0.27), (-0.1, 0.2)])
@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "In IoU a differs from b by {:+.1f} points, but 4 pictures are too few to say who is ahead."),
        ("ja", "IoU では a と b の差は {:+.1f} ポイントですが、画像 4 枚では優劣を判断できません。"),
    ],
)
def test_of_very_few_pictures_nothing_is_concluded(low: float, high: float, language: str, told: str) -> None:
    """On which side the interval lies does not matter: it is not told."""
    found = compare(Interval((low + high) / 2, low, high, 4))
    assert statement("a", "b", "iou", found, Messages(language, PACKAGE)) == told.format(50 * (low + high))


def test_one_shot_and_two_shots(comparison: Comparison) -> None:
    say = Messages("en", PACKAGE)
    assert [say("shots", count=count) for count in (1, 2, 1000)] == ["1 shot", "2 shots", "1,000 shots"]
    few = [
        replace(row, figures={"iou": replace(row.figures["iou"], count=4)}, lead={})
        for row in comparison.rows
        if "iou" in row.figures
    ]
    (told,) = in_short(replace(comparison, rows=few), say)
    assert told.endswith("4 pictures are too few for an interval.")


def test_pictures_that_were_left_out_are_named(comparison: Comparison) -> None:
    page = render(replace(comparison, left_out={"red9": "red9.jpg: torn <i>"}))
    assert "neither shown nor measured" in page
    assert "red9.jpg: torn &lt;i&gt;" in page
    assert "neither shown nor measured" not in render(comparison)
