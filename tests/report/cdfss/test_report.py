import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report.test_page import Page

from kiridashi.core.mask import Mask
from kiridashi.evaluate.cdfss.lines import Key, Line
from kiridashi.evaluate.cdfss.summary import summarise
from kiridashi.evaluate.cdfss.tasks import Task, open_tasks
from kiridashi.evaluate.metrics import overlap
from kiridashi.report.cdfss import Evaluation, render
from kiridashi.report.cdfss.content import SHOWN_FAILURES, bar, strips
from kiridashi.report.cdfss.rendering import PACKAGE
from kiridashi.report.page import LANGUAGES
from kiridashi.report.page.messages import Messages, _table

Make = Callable[..., Evaluation]


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    """Two sets of three pictures."""
    for name in ("one", "two"):
        for part, value in (("images", 90), ("masks", 0)):
            for index in range(3):
                pixels = np.full((20, 30, 3) if part == "images" else (20, 30), value, dtype=np.uint8)
                if part == "masks":
                    pixels[5:15, 5 : 12 + index] = 255
                (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / name / part / f"p{index}.png")
    return open_tasks([tmp_path / "one", tmp_path / "two"])


@pytest.fixture
def make(tasks: list[Task]) -> Make:
    """Two methods on both sets, the second better; `failed` lines without a result."""

    def build(failed: int = 0) -> Evaluation:
        lines = []
        for task in tasks:
            for episode in task.draw(2, 6, 0):
                for method, width in (("base", 3), ("ours", 6)):
                    answer = np.zeros((20, 30), dtype=bool)
                    answer[5:15, 5 : 5 + width] = True
                    truth = task.read(episode.query, episode.label).mask.to_array()
                    key = Key(task.name, 2, 0, episode.index, method)
                    counts = overlap(answer, truth)
                    lines.append(Line(key, episode, "", counts, Mask.from_array(answer), 1.0, 2.0, 300.0))
        for number in range(failed):
            key = replace_episode(lines[0].key, 100 + number)
            lines.append(Line(key, lines[0].episode, "", error=f"<cut> {number}"))
        rows = summarise(lines, ["one", "two"], ["base", "ours"])
        return Evaluation(rows, lines, tasks, ["base", "ours"], {"model": "compact: ours", "seeds": "0"})

    return build


def replace_episode(key: Key, episode: int) -> Key:
    return key._replace(episode=episode)


@pytest.mark.parametrize("language", LANGUAGES)
def test_is_one_well_formed_file_without_outside_resources(make: Make, language: str) -> None:
    html = render(make(failed=2), language)
    page = Page(html)
    assert page.open == []
    assert page.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://|<script", html)


def test_has_the_figures_of_the_table(make: Make) -> None:
    evaluation = make()
    text = Page(render(evaluation)).text
    for row in evaluation.rows:
        assert f"{100 * row.miou.mean:.1f} [" in text
    assert "Mean over sets" in text
    assert "compact: ours" in text
    assert "3.00" in text


def test_shows_the_worst_first_with_every_method(make: Make) -> None:
    shown = strips(make(), Messages("en", PACKAGE))
    assert len(shown) == 12
    first = [text for text, _ in shown[0].panels]
    assert first[:3] == ["reference, and 1 more", "target", "truth"]
    ious = [[int(text.rsplit(" ", 1)[1]) for text, _ in strip.panels[3:]] for strip in shown[:6]]
    assert [len(each) for each in ious] == [2] * 6
    assert [sum(each) for each in ious] == sorted(sum(each) for each in ious)


def test_a_strip_whose_pictures_have_gone_is_left_out(make: Make, tasks: list[Task]) -> None:
    evaluation = make()
    for path in (tasks[0].folder / "images").iterdir():
        path.unlink()
    assert all(strip.title.startswith("two") for strip in strips(evaluation, Messages("en", PACKAGE)))


def test_failures_are_named_escaped_and_counted(make: Make) -> None:
    html = render(make(failed=SHOWN_FAILURES + 3))
    assert "&lt;cut&gt; 0" in html
    assert "<cut>" not in html
    assert "and 3 more" in html


def test_bars_stay_on_the_scale(make: Make) -> None:
    interval = make().rows[0].miou
    assert bar(replace(interval, low=-0.1, mean=0.5, high=1.2)) == (0.0, 100.0, 50.0)


def test_every_text_is_there_in_every_language() -> None:
    fields = re.compile(r"\{(\w+)\}")
    for key, texts in _table(PACKAGE).items():
        assert set(texts) == set(LANGUAGES), key
        assert sorted(fields.findall(texts["en"])) == sorted(fields.findall(texts["ja"])), key
