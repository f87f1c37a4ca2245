import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from kiridashi.report.page import LANGUAGES, Report, render
from kiridashi.report.page.content import SHOWN_RESULTS
from kiridashi.report.page.messages import Messages, _table

Make = Callable[..., Report]
VOID = {"meta", "img", "br", "hr", "link", "input", "rect", "line"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers text and addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                self.addresses.append(value or "")
            if name == "class" and value == "name":
                self.names.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_one_well_formed_file_without_outside_resources(make_report: Make, language: str) -> None:
    html = render(make_report(12, failed=1), language)
    page = Page(html)
    assert page.open == []
    assert page.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://|<script", html)


def test_says_where_the_results_come_from(make_report: Make) -> None:
    text = Page(render(make_report())).text
    assert "Apache-2.0" in text
    assert "guided by the edges" in text
    assert "part.png" in text
    assert "other.png" in text
    assert "1.50 s" in text


def test_the_japanese_report_is_japanese(make_report: Make) -> None:
    html = render(make_report(12, failed=1), "ja")
    text = Page(html).text
    assert '<html lang="ja">' in html
    assert "検出結果レポート" in text
    assert "処理できなかった入力" in text
    assert "Results, lowest score first" not in text


def test_lowest_scores_come_first(make_report: Make) -> None:
    names = re.findall(r'class="name" title="photos/(p\d+)', render(make_report(5)))
    assert names == [f"p{i:04}" for i in range(5)]


def test_failed_inputs_are_named_and_escaped(make_report: Make) -> None:
    html = render(make_report(1, failed=2))
    assert "&lt;b1&gt;.png" in html
    assert "cut &lt;short&gt;" in html
    assert "<b1>" not in html


def test_many_pictures_stay_small_and_say_so(make_report: Make) -> None:
    html = render(make_report(2000))
    assert len(html) < 10_000_000
    assert html.count("<article") == SHOWN_RESULTS
    assert f"only the first {SHOWN_RESULTS} of 2,000 pictures are embedded" in html
    assert "p1999.png" in html


def test_no_result_at_all(make_report: Make) -> None:
    assert "No picture has a result." in render(make_report(0, failed=1))


def test_every_text_is_there_in_every_language() -> None:
    fields = re.compile(r"\{(\w+)\}")
    for key, texts in _table().items():
        assert set(texts) == set(LANGUAGES), key
        assert sorted(fields.findall(texts["en"])) == sorted(fields.findall(texts["ja"])), key
    assert Messages("en")("lead", pictures=1234).endswith("1,234 pictures.")
