import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.test_page import Page

from kiridashi.core.adapters.overlay import colour_of
from kiridashi.core.mask import Mask
from kiridashi.core.segments import Segment, Segments
from kiridashi.models.catalogue import find_card
from kiridashi.report.detections import Detections, KnownClass, content, render, write_report
from kiridashi.report.detections.content import NAMED_CLASSES
from kiridashi.report.page import LANGUAGES, Timing
from kiridashi.report.page.content import SHOWN_RESULTS
from kiridashi.report.page.messages import Messages
from kiridashi.report.records import Record

Make = Callable[..., Detections]
SIZE = (30, 40)
CLASSES = (KnownClass("bolt", 2, 5), KnownClass("<nut>", 3, 4), KnownClass("pin", 7, 1))


def found(score: float, label: str = "bolt") -> Segment:
    full = np.zeros(SIZE, dtype=bool)
    full[2:9, 3:12] = True
    return Segment(Mask.from_array(full), score, label)


def record(name: str, *items: Segment, doubtful: tuple[Segment, ...] = ()) -> Record:
    segments = replace(Segments(SIZE, items), doubtful=doubtful)
    return Record.of(f"photos/{name}.png", name, (1, 2), segments, 0.25)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(*records: Record, classes: tuple[KnownClass, ...] = CLASSES) -> Detections:
        overlay = tmp_path / "overlay.jpg"
        Image.new("RGB", (40, 30), (9, 99, 199)).save(overlay)
        return Detections(
            records=records,
            overlays=lambda stem: overlay,
            card=find_card("compact"),
            timing=Timing(1.5, 3.0),
            classes=classes,
            registry="site.kiridashi",
            event=12,
            background=34,
            facts={"grid": "16 x 16", "min_score": "0"},
        )

    return made


def several() -> tuple[Record, ...]:
    return (
        record("empty"),
        record("sure", found(0.9), found(0.8)),
        record("weak", found(0.7), found(0.2, "<nut>")),
        record("doubt", found(0.95), doubtful=(found(0.3, "<nut>"), found(0.2, "<nut>"))),
        Record("<b>.png", "b", 0.0, error="cut <short>"),
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_one_well_formed_file_without_outside_resources(make: Make, language: str) -> None:
    html = render(make(*several() * 3), language)
    page = Page(html)
    assert page.open == []
    assert page.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://|<script", html)
    assert "&lt;nut&gt;" in html
    assert "<nut>" not in html
    assert "cut &lt;short&gt;" in html


def test_the_most_doubtful_come_first_and_the_empty_last(make: Make) -> None:
    names = re.findall(r'class="name" title="photos/(\w+)', render(make(*several())))
    assert names == ["doubt", "weak", "sure", "empty"]


def test_each_class_has_its_counts(make: Make) -> None:
    detections = make(*several())
    rows = {row.known.name: row for row in content.rows(detections)}
    assert list(rows) == ["bolt", "<nut>"]
    bolt, nut = rows["bolt"], rows["<nut>"]
    assert (bolt.objects, bolt.pictures, bolt.doubtful, bolt.lowest) == (4, 3, 0, 0.7)
    assert bolt.middle == pytest.approx(0.85)
    assert (nut.objects, nut.pictures, nut.doubtful) == (1, 1, 2)
    assert "Nothing was seen of: pin." in render(detections)


def test_doubtful_objects_are_counted_apart(make: Make) -> None:
    figures = {name: figure for figure, name in content.counts(make(*several()), Messages("en"))}
    assert figures["objects"] == "5"
    assert figures["doubtful"] == "2"
    assert figures["pictures with objects"] == "3"
    assert figures["not done"] == "1"
    assert "<nut>? × 2" in Page(render(make(*several()))).text


def test_the_colours_are_those_of_the_overlays(make: Make) -> None:
    html = render(make(*several()))
    assert f"rgb{colour_of(2)}" in html
    assert f"rgb{colour_of(3)}" in html


def test_says_which_state_of_which_registry(make: Make) -> None:
    text = Page(render(make(*several()))).text
    assert "site.kiridashi" in text
    assert "after event 12: 3 classes, 34 background samples" in text
    assert "16 x 16" in text
    assert "Apache-2.0" in text


def test_thousands_of_pictures_and_classes_stay_readable(make: Make) -> None:
    classes = tuple(KnownClass(f"c{i}", i + 2, 3) for i in range(1000))
    records = [record(f"p{i}", found(0.5, f"c{i % 300}")) for i in range(2000)]
    html = render(make(*records, classes=classes))
    assert len(html) < 5_000_000
    assert html.count("<article") == SHOWN_RESULTS
    assert "and 100 more classes" in html
    assert f"c{300 + NAMED_CLASSES - 1} and {700 - NAMED_CLASSES} more." in html
    assert "p1999.png" in html


def test_no_result_at_all_and_writing(make: Make, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", make(several()[-1]), "ja")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "結果のある画像はありません。" in text
    assert "Results" not in text
