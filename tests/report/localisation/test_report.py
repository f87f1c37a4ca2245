import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.test_page import Page

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.models.catalogue import find_card
from kiridashi.report.localisation import ChoiceNote, Localisations, Outcome, content, render, write_report
from kiridashi.report.page import LANGUAGES, Timing
from kiridashi.report.page.messages import PACKAGE, Messages
from kiridashi.report.records import Record

SIZE = (30, 40)
NUMBERS = {"crack": 1, "<stain>": 2, "dent": 3}
OURS = "kiridashi.report.localisation"
Make = Callable[..., Localisations]


def note(label: str = "crack", source: str = "gallery", **more: float | str) -> ChoiceNote:
    plain = ChoiceNote(label, 0.9, source, "best match", "because", 0.8, 0.28)
    return replace(plain, **more)  # type: ignore[arg-type]


def record(name: str, *notes: ChoiceNote, scores: Mapping[str, float] | None = None) -> Record:
    full = np.zeros(SIZE, dtype=bool)
    full[2:9, 3:12] = True
    items = tuple(Segment(Mask.from_array(full), one.class_score, one.label) for one in notes)
    segments = Segments(SIZE, items, Verdict(bool(notes), 0.9 if notes else 0.3, 0.5))
    doubt = max((one.doubt for one in notes), default=0.3)
    outcome = Outcome(notes, scores or {"crack": 0.4, "<stain>": 0.1}, 12 if notes else None, doubt)
    made = Record.of(f"photos/{name}.png", name, (1, 2), segments, 0.25)
    return replace(made, details=outcome.to_json())


def several() -> tuple[Record, ...]:
    return (
        record("sure", note()),
        record("poor", note(source="coarse", reason="poor match", match=0.2, doubt=0.78), note("<stain>")),
        record("none"),
        Record("<b>.png", "b", 0.0, error="cut <short>"),
    )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(*records: Record) -> Localisations:
        strip = tmp_path / "strip.jpg"
        Image.new("RGB", (130, 30), (9, 99, 199)).save(strip)
        return Localisations(
            records=records,
            overlays=lambda stem: strip,
            card=find_card("compact"),
            timing=Timing(1.5, 3.0),
            stages=lambda stem: strip,
            numbers=NUMBERS,
            network="site-model",
            facts={"grid": "16 x 16", "matching": "soft-iou"},
            pseudo="pseudo",
        )

    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_one_well_formed_file_without_outside_resources(make: Make, language: str) -> None:
    html = render(make(*several() * 4), language)
    page = Page(html)
    assert page.open == []
    assert page.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://|<script", html)
    assert "&lt;stain&gt;" in html
    assert "<stain>" not in html
    assert "cut &lt;short&gt;" in html


def test_the_most_doubtful_stand_first_and_nothing_found_is_said(make: Make) -> None:
    html = render(make(*several()))
    order = [html.index(f'title="photos/{name}.png"') for name in ("poor", "none", "sure")]
    assert order == sorted(order)
    assert "nothing found · nearest: crack 0.4, &lt;stain&gt; 0.1" in html
    assert "no masks were asked for" in html
    assert "candidates: 12" in html


def test_every_source_and_reason_is_told_in_each_language(make: Make) -> None:
    from typing import get_args

    from kiridashi.localize.choosing import Reason, Source

    for language in LANGUAGES:
        say = Messages(language, PACKAGE, OURS)
        told = {content.why(note(reason=reason), say) for reason in get_args(Reason)}
        assert len(told) == len(get_args(Reason))
        assert "because" not in told
        assert len({say(f"source_{source}") for source in get_args(Source)}) == len(get_args(Source))
    assert content.why(note(reason="of another version"), say) == "because"


def test_figures_and_rows(make: Make) -> None:
    results = make(*several())
    say = Messages("en", PACKAGE, OURS)
    figures = {name: figure for figure, name in content.counts(results, say)}
    assert figures["with something found"] == "2"
    assert figures["nothing found"] == "1"
    assert figures["masks"] == "3"
    assert figures["kept coarse"] == "33 %"
    rows = {row.name: row for row in content.rows(results)}
    assert rows["crack"].by_source == {"gallery": 1, "sharpened": 0, "coarse": 1}
    assert (rows["crack"].pictures, rows["crack"].match) == (2, 0.5)
    assert (rows["dent"].objects, rows["dent"].match) == (0, None)


def test_many_pictures_are_listed_without_their_stages(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHOWN", 1)
    html = render(make(*several()))
    assert html.count('class="item"') == 1
    assert "only the first 1 of 3 pictures" in html


def test_a_run_without_a_result(make: Make, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", make(Record("a.png", "a", 0.0, error="gone")), "ja")
    assert "結果のある画像はありません" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_outcomes_come_back_from_their_line() -> None:
    made = several()[1]
    again = Record.from_json(made.to_json())
    outcome = Outcome.of(again)
    assert [one.source for one in outcome.notes] == ["coarse", "gallery"]
    assert (outcome.word, outcome.fallbacks, outcome.candidates) == ("found", 1, 12)
    assert Outcome.of(several()[2]).word == "nothing found"


def test_records_of_another_verb_are_refused() -> None:
    plain = replace(several()[0], details={})
    with pytest.raises(InputError, match="not one of a localisation"):
        Outcome.of(plain)
    fewer = replace(several()[0], instances=())
    with pytest.raises(InputError, match="not one of a localisation"):
        Outcome.of(fewer)
