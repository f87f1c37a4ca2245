"""A whole proof of concept on drawn pictures with quick methods."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.poc.made_site import LINEUP, MONEY, QUICK, SITE, Brightness, make_site

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.lines import read_jsonl
from kiridashi.poc.journal import Journal, LineSink
from kiridashi.poc.proof import Proof, figures
from kiridashi.poc.site import read_site
from kiridashi.report.poc.document import Decision, Document


def proof(site: Path, out: Path, **options: Any) -> Proof:
    made = Proof(read_site(site), out, LINEUP, Journal([LineSink(out / "log.jsonl")]), debug=True, **options)
    made.open()
    return made


def whole(site: Path, out: Path, **options: Any) -> Document:
    made = proof(site, out, **options)
    made.measure()
    return made.report()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"), SITE + MONEY)


@pytest.fixture(scope="module")
def made(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Document]:
    out = tmp_path_factory.mktemp("run") / "out"
    return out, whole(site, out)


def test_the_good_method_is_chosen_and_its_figures_are_right(made: tuple[Path, Document]) -> None:
    (case,) = made[1].cases
    assert case.recommended == "sharp"
    assert [option.method for option in case.options] == ["sharp", "wide"]
    assert case.option.iou.mean > 0.95
    assert case.option.gain is not None
    assert case.option.gain.low > 0
    assert case.option.missed.share == 0
    assert case.option.false_alarms is not None
    assert case.option.false_alarms.count == 10
    wide = next(option for option in case.options if option.method == "wide")
    assert wide.iou.mean < 0.8
    assert case.pictures == 36
    assert case.empty == 10
    assert case.enough == 1


def test_conditions_are_told_and_what_is_missing_holds(made: tuple[Path, Document]) -> None:
    (case,) = made[1].cases
    night = next(one for one in case.conditions if one.value == "night")
    assert night.planned
    assert night.pictures == 0
    assert night.iou is None
    dusk = next(one for one in case.conditions if one.value == "dusk")
    assert not dusk.planned
    assert dusk.pictures == 18
    assert case.decision is Decision.HOLD
    assert [reason.key for reason in case.reasons if reason.weight is Decision.HOLD] == ["unseen"]


def test_transformations_are_measured_on_the_chosen_method(made: tuple[Path, Document]) -> None:
    (case,) = made[1].cases
    assert {(cell.method, cell.transform) for cell in case.cells} == {
        ("sharp", "sensor-noise"),
        ("sharp", "viewpoint"),
    }
    assert {cell.transform for cell in case.cells if cell.expected} == {"sensor-noise"}


def test_without_open_points_it_goes(site: Path, tmp_path: Path) -> None:
    text = site.read_text().replace("planned: {light: [day, night]}", "planned: {light: [day]}")
    other = site.with_name("other.yaml")
    other.write_text(text)
    (case,) = whole(other, tmp_path / "out").cases
    assert case.decision is Decision.GO, case.reasons


def test_running_it_again_gives_the_same_figures(
    site: Path, made: tuple[Path, Document], tmp_path: Path
) -> None:
    again = whole(site, tmp_path / "again")
    first = made[1].cases[0]
    assert again.cases[0].facts["figures sha256"] == first.facts["figures sha256"]
    assert again.cases[0].facts["data sha256"] == first.facts["data sha256"]
    assert [(one.iou, one.gain, one.missed, one.false_alarms) for one in again.cases[0].options] == [
        (one.iou, one.gain, one.missed, one.false_alarms) for one in first.options
    ]
    assert [cell.iou for cell in again.cases[0].cells] == [cell.iou for cell in first.cells]


def test_another_seed_gives_others(tmp_path: Path) -> None:
    digests = []
    for seed in (3, 4):
        site = make_site(tmp_path, QUICK.replace("seed: 3", f"seed: {seed}"))
        document = whole(site, tmp_path / f"out{seed}")
        digests.append(document.cases[0].facts["figures sha256"])
    assert digests[0] != digests[1]


CHILD = """
import sys, time
from pathlib import Path
from kiridashi.poc.proof import Proof
from kiridashi.poc.site import read_site
from tests.poc.made_site import LINEUP, Brightness

predict = Brightness.predict
Brightness.predict = lambda self, picture: (time.sleep(0.02), predict(self, picture))[1]
proof = Proof(read_site(sys.argv[1]), Path(sys.argv[2]), LINEUP, resume=True)
proof.open()
proof.measure()
"""


def killed(site: Path, out: Path, lines: int) -> int:
    """Run in a process of its own, and kill it when so many lines are there; gives their number."""
    results, root = out / "bright-discs" / "results.jsonl", Path(__file__).resolve().parents[2]
    words = [sys.executable, "-c", CHILD, str(site), str(out)]
    with subprocess.Popen(words, cwd=root, stderr=subprocess.PIPE) as child:
        while child.poll() is None and (not results.is_file() or results.read_bytes().count(b"\n") < lines):
            time.sleep(0.01)
        child.kill()
        assert child.wait() == -signal.SIGKILL, child.stderr.read() if child.stderr else b""
    return len(read_jsonl(results))


def test_a_killed_run_goes_on_where_it_was(site: Path, made: tuple[Path, Document], tmp_path: Path) -> None:
    out = tmp_path / "out"
    known = killed(site, out, 40)
    results = out / "bright-discs" / "results.jsonl"
    # What a kill in the middle of a line leaves behind.
    with results.open("ab") as stream:
        stream.write(b'{"set": "bright-discs", "lab')
    Brightness.asked = []
    resumed = whole(site, out, resume=True)
    assert len(Brightness.asked) == len(read_jsonl(results)) - known
    assert resumed.cases[0].facts["figures sha256"] == made[1].cases[0].facts["figures sha256"]


def test_a_finished_run_measures_nothing_more(site: Path, made: tuple[Path, Document]) -> None:
    Brightness.asked = []
    again = whole(site, made[0], resume=True)
    assert Brightness.asked == []
    assert again.cases[0].facts["figures sha256"] == made[1].cases[0].facts["figures sha256"]


def test_a_run_is_not_overwritten_unasked(site: Path, made: tuple[Path, Document]) -> None:
    with pytest.raises(UsageError, match="already holds results"):
        proof(site, made[0])


class Clock:
    """A second passes at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_the_budget_of_time_is_kept_and_what_it_left_out_is_named(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    short = proof(site, out)
    clock = Clock()
    short.measure(3, clock)
    # The look that finds the time over is one later.
    assert clock.now <= 3 * 60 + 1
    (case,) = short.report().cases
    assert any("seed 4" in one.name for one in case.missing)
    assert "left_out" in {reason.key for reason in case.reasons}
    told = [one["event"] for one in read_jsonl(out / "log.jsonl")]
    assert "left out" in told
    # With time, the same folder is brought to its end.
    assert whole(site, out, resume=True).cases[0].missing == ()


def test_too_little_time_for_anything_is_told(site: Path, tmp_path: Path) -> None:
    short = proof(site, tmp_path / "out")
    with pytest.raises(UsageError, match="more minutes"):
        short.measure(0.05, Clock())


def test_what_the_run_depends_on_is_noted_down(site: Path, made: tuple[Path, Document]) -> None:
    out, document = made
    run = json.loads((out / "run.json").read_text())
    assert run["facts"] == dict(document.facts)
    assert run["facts"]["site file sha256"] == read_site(site).sha256
    for name in ("kiridashi", "python", "numpy", "model", "seed"):
        assert run["facts"][name]
    assert (out / "site.yaml").read_text() == site.read_text()
    told = json.loads((out / "summary.json").read_text())
    assert told["cases"][0]["decision"] == "hold"
    assert told["cases"][0]["facts"]["seeds"] == "3, 4"


def test_changed_pictures_change_the_digest(made: tuple[Path, Document], tmp_path: Path) -> None:
    site = make_site(tmp_path, QUICK + MONEY)
    (tmp_path / "discs" / "README.md").write_text("- Licence: CC0\n")
    document = whole(site, tmp_path / "out")
    assert document.cases[0].facts["data sha256"] != made[1].cases[0].facts["data sha256"]


def test_several_use_cases_stand_side_by_side(tmp_path: Path) -> None:
    again = QUICK.partition("use_cases:\n")[2].replace("name: bright discs", "name: the same again")
    site = make_site(tmp_path, QUICK + again)
    document = whole(site, tmp_path / "out")
    assert [case.name for case in document.cases] == ["bright discs", "the same again"]
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {
        "bright-discs",
        "the-same-again",
    }
    assert set(figures(document)) >= {"bright discs/iou", "the same again/iou"}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("[sharp, wide]", "[sharpe, wide]", "Did you mean sharp?"),
        ("[sensor-noise, viewpoint]", "[sensor-noise, cut]", "no transformation named cut"),
        ("folder: discs", "folder: nowhere", "no such file or folder"),
        ("name: bright discs", "name: bright discs\n    classes: [dent]", "no class named dent"),
        ("tags: tags.csv", "tags: ../tags.csv", "leads out of"),
        ("shots: [1]", "shots: [25]", "needs a class with"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_measured(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    site = make_site(tmp_path, QUICK.replace(before, after))
    with pytest.raises((UsageError, InputError), match=told.replace("?", r"\?")):
        whole(site, tmp_path / "out")
    assert Brightness.fits == 0


def test_an_answer_that_fails_is_counted_and_the_others_go_on(tmp_path: Path) -> None:
    site = make_site(tmp_path, QUICK)
    file = read_site(site)
    made = Proof(file, tmp_path / "out", LINEUP)
    made.open()
    for number in range(26, 31):
        (tmp_path / "discs" / "images" / f"good{number:02}.png").write_bytes(b"no picture")
    made.measure()
    assert int(made.report().cases[0].facts["answers failed"]) > 0


def test_pictures_without_an_object_are_needed_to_reckon(tmp_path: Path) -> None:
    site = make_site(tmp_path, QUICK + MONEY, good=0)
    (case,) = whole(site, tmp_path / "out").cases
    assert case.option.false_alarms is None
    assert case.worths == []


def test_classes_stand_in_where_there_are_no_good_parts(tmp_path: Path) -> None:
    site = make_site(tmp_path, QUICK + MONEY, good=0)
    masks = sorted((tmp_path / "discs" / "masks").glob("*.png"))
    for number, path in enumerate(masks):
        mask = np.array(Image.open(path)) * np.uint8(1 + number % 2)
        Image.fromarray(mask).save(path)
    (tmp_path / "discs" / "meta.json").write_text('{"classes": {"1": "disc", "2": "dot"}}')
    (case,) = whole(site, tmp_path / "out").cases
    assert set(case.classes) == {"disc", "dot"}
    assert case.option.false_alarms is not None
    assert "none_without" in {reason.key for reason in case.reasons}


def test_what_an_annotation_tool_wrote_does_as_well(tmp_path: Path) -> None:
    from kiridashi.data.formats import read_set, write_set

    site = make_site(tmp_path, QUICK)
    names = sorted(path.stem for path in (tmp_path / "discs" / "images").iterdir())
    meta = {"classes": {"1": "disc"}, "items": [{"id": name} for name in names]}
    (tmp_path / "discs" / "meta.json").write_text(json.dumps(meta))
    write_set(read_set(tmp_path / "discs", "label-map"), tmp_path / "coco", "coco")
    (tmp_path / "coco.yaml").write_text(QUICK.replace("folder: discs, tags: tags.csv", "folder: coco"))
    plain, other = (whole(one, tmp_path / one.stem) for one in (site, tmp_path / "coco.yaml"))
    assert other.cases[0].pictures == plain.cases[0].pictures == 36
    assert other.cases[0].option.iou.mean == pytest.approx(plain.cases[0].option.iou.mean, abs=0.05)
