import re
import tomllib
from dataclasses import replace
from html import unescape
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from kiridashi.core.errors import InputError
from kiridashi.models.catalogue import find_card
from kiridashi.report.diagnosis import (
    Diagnosis,
    DiagnosisFolder,
    Finding,
    Key,
    Line,
    RuleNote,
    Verdict,
    Where,
    messages,
    render,
)
from kiridashi.report.diagnosis.curves import Series, draw
from kiridashi.report.diagnosis.lines import FrameFigures, StageFigures
from kiridashi.report.diagnosis.tables import as_csv

STAGES = ("encoder", "memory-1", "decoder", "tokens", "pointer", "written")
RULES = (
    RuleNote(Where.CLIP, "flicker", 0.05, True),
    RuleNote(Where.MODEL, "memory", 0.3, False),
    RuleNote(Where.ROBUSTNESS, "weak", 0.2, True),
)
FLICKER = Finding(Where.CLIP, "flicker", 0.05, 4.0, {"value": 0.2, "percent": 22.0})
MEMORY = Finding(Where.MODEL, "memory", 0.3, 3.0, {"value": 0.1, "encoder": 1.0})
WEAK = Finding(
    Where.ROBUSTNESS,
    "weak",
    0.2,
    2.0,
    {
        "value": 0.4,
        "transformation": "cut",
        "severity": 3,
        "j_and_f": 0.4,
        "before": 0.8,
        "stage": "memory-1",
        "how": "parted",
    },
)


def frames(count: int = 6, j: float = 0.8) -> tuple[FrameFigures, ...]:
    stage = StageFigures(raw=0.1, natural=1.5, inside=2.0, outside=0.5, memory=1.0, probe=0.97, component=0.8)
    return tuple(
        FrameFigures(
            source=index,
            found=True,
            why="",
            score=0.9,
            area=0.1,
            there=index != 3,
            overlap=0.9,
            truth_area=0.1,
            j=j,
            f=j,
            distance=0.125 * index,
            prompted=index == 0,
            stages=dict.fromkeys(STAGES, stage),
            facts={"light": 0.5},
        )
        for index in range(count)
    )


def diagnosis(path: Path, *findings: Finding, **changes: object) -> Diagnosis:
    lines = (
        Line(Key("self-test"), frames(), {"heeding": 0.8}),
        Line(Key("clean"), frames()),
        Line(Key("transformation", "cut", 3), frames(j=0.4)),
        Line(Key("transformation", "speed", 2), error="<broken> & lost"),
        Line(Key("prompts", "absent"), frames(j=0.1)),
    )
    made = Diagnosis(
        clip="<clip>",
        lines=lines,
        verdict=Verdict(findings, (WEAK,), ("lighting-3",), "encoder"),
        stages=STAGES,
        broken={Key("transformation", "cut", 3): "memory-1"},
        rules=RULES,
        folder=DiagnosisFolder.open(path, {}),
        card=find_card("compact"),
        has_truth=True,
        gate=0.68,
        facts={"CLIP": "belt"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_verdict_comes_first_with_its_evidence(tmp_path: Path, language: str) -> None:
    page = render(diagnosis(tmp_path, MEMORY, FLICKER), language)
    say = messages(language)
    main = page.index(say("fault", name=say("name_memory")))
    assert main < page.index(say("name_flicker")) < page.index(say("matrix"))
    assert say("advice_memory") in unescape(page)
    assert "0.10" in page[main : main + 1500]
    assert say("stage_memory", number="1") in page
    # What users name is text, not markup.
    assert "&lt;clip&gt;" in page
    assert "&lt;broken&gt; &amp; lost" in page
    assert "<clip>" not in page


def test_without_a_fault_the_page_says_so(tmp_path: Path) -> None:
    page = render(diagnosis(tmp_path))
    assert "No fault found" in page
    assert "Fault:" not in page
    assert "cut, from severity 3 on: J&amp;F falls from 0.80 to 0.40." in page
    assert "lighting-3" in page


def test_the_mildest_copy_that_is_not_stood_is_told() -> None:
    harder = replace(WEAK, strength=4.0, figures={**WEAK.figures, "severity": 5})
    other = replace(WEAK, strength=1.0, figures={**WEAK.figures, "transformation": "speed", "severity": 2})
    assert Verdict((), (harder, WEAK, other), (), None).mildest == [WEAK, other]


def test_the_stage_that_breaks_is_marked_in_the_matrix(tmp_path: Path) -> None:
    page = render(diagnosis(tmp_path))
    row = page[page.index("<th>cut-3</th>") :]
    row = row[: row.index("</tr>")]
    assert row.count('class="cell broken"') == 1
    assert row.index('class="cell broken"') > row.index('class="cell"')
    assert "2.00 / 0.50" in row


def test_strips_are_embedded(tmp_path: Path) -> None:
    one = diagnosis(tmp_path)
    one.folder.write_strips(Key("clean"), {"encoder": np.full((20, 60, 3), 90, np.uint8)})
    assert render(one).count("data:image/jpeg;base64,") == 1


def test_every_text_is_there_in_both_languages_with_the_same_gaps() -> None:
    table = tomllib.loads(files("kiridashi.report.diagnosis").joinpath("messages.toml").read_text("utf-8"))
    for key, texts in table.items():
        gaps = [set(re.findall(r"\{(\w+)\}", texts[language])) for language in ("en", "ja")]
        assert gaps[0] == gaps[1], key


def test_every_rule_has_its_texts() -> None:
    from kiridashi.transforms import CARDS
    from kiridashi.video.diagnosis.rules import RULES as ALL

    say = messages()
    for rule in ALL:
        for kind in ("name", "figure") + (() if rule.where is Where.ROBUSTNESS else ("finding", "advice")):
            assert say.has(f"{kind}_{rule.name}"), (kind, rule.name)
    for card in CARDS.values():
        assert card.family == "T0" or say.has(f"advice_family_{card.family}"), card.name


def test_curves_are_broken_where_frames_are_left_out() -> None:
    broken = Series("a <b>", [(0, 0.5), (1, 0.6), (4, 0.2), (5, 0.1)])
    svg = draw([broken, Series("c", [(3, 1.0)])], "t", line=0.7)
    tree = ElementTree.fromstring(svg)
    names = [one.tag.rpartition("}")[2] for one in tree.iter()]
    assert names.count("polyline") == 2
    assert names.count("circle") == 1
    assert "a <b>" in [one.text for one in tree.iter()]


def test_a_run_has_one_colour_in_every_chart() -> None:
    """Also where another run, as the clip as it is without true masks, has no curve."""
    points = [(0, 0.1), (1, 0.2)]
    first, second = Series("first", points, 1), Series("second", points, 2)

    def colour(svg: str) -> list[str]:
        return re.findall(r'<polyline [^>]*stroke="([^"]+)"', svg)

    alone = colour(draw([second], "t"))
    assert colour(draw([Series("clean", points), first, second], "t"))[2:] == alone
    assert colour(draw([first, second], "t"))[1:] == alone
    assert len(set(colour(draw([Series("clean", points), first, second], "t")))) == 3


def test_lines_come_back_as_they_were() -> None:
    line = Line(Key("transformation", "cut", 3), frames(), {"heeding": 0.5})
    assert Line.from_json(line.to_json()) == line
    assert line.returns[0].took == 0
    for bad in ({}, {**line.to_json(), "kind": "other"}, {**line.to_json(), "frames": [{}]}):
        with pytest.raises(InputError, match="not one of a diagnosis"):
            Line.from_json(bad)


def test_the_table_has_a_row_for_each_stage_of_each_frame() -> None:
    rows = as_csv([Line(Key("clean"), frames(2))]).splitlines()
    assert len(rows) == 1 + 2 * len(STAGES)
    assert rows[1].startswith("clean,0,0,1,0.9000,0.8000,0.8000,0.0000,encoder,0.1000,1.5000")
