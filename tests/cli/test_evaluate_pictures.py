import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.core.segments import Segment, Segments
from kiridashi.data.lines import read_jsonl

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("random_model", "quick_forest")


class ByColour:
    """Finds what has the references' colour."""

    predicted: ClassVar[list[str]] = []
    interrupt_after: ClassVar[int | None] = None

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, references: Sequence[Reference], negatives: Sequence[Any] = ()) -> Self:
        self.colour_ = np.mean(
            [one.picture.pixels[one.mask.to_array()].mean(axis=0) for one in references], axis=0
        )
        return self

    def predict(self, picture: Picture) -> Segments:
        if ByColour.interrupt_after is not None and len(ByColour.predicted) >= ByColour.interrupt_after:
            raise KeyboardInterrupt
        ByColour.predicted.append(picture.name)
        mask = Mask.from_array(np.abs(picture.pixels - self.colour_).max(axis=2) < 30)
        return Segments(picture.size, () if mask.is_empty else (Segment(mask, 0.9, "object"),))


@pytest.fixture
def quick_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ByColour` in place of the forest."""
    monkeypatch.setattr("kiridashi.evaluate.baselines.forest.RandomForestPixels", ByColour)
    monkeypatch.setattr(ByColour, "predicted", [])
    monkeypatch.setattr(ByColour, "interrupt_after", None)


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Five pictures of a red disc and two of nothing, with their masks."""
    rows, columns = np.ogrid[:48, :64]
    for index in range(7):
        inside = (columns - 15 - 6 * index) ** 2 + (rows - 24) ** 2 <= 100
        inside &= index < 5
        pixels = np.full((48, 64, 3), 90, dtype=np.uint8)
        pixels[inside] = (210, 40, 40)
        for part, values in (("images", pixels), ("masks", inside.astype(np.uint8) * 255)):
            (tmp_path / "discs" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / "discs" / part / f"d{index}.png")
    return tmp_path / "discs"


@pytest.fixture
def words(discs: Path, tmp_path: Path) -> list[str]:
    """A command of one run with one shot."""
    methods = ["--methods", "forest", "--shots", "1", "--runs", "1"]
    return ["evaluate", str(discs), "--out", str(tmp_path / "out"), *methods]


def test_the_folder_alone_is_enough(words: list[str], run: Run, tmp_path: Path) -> None:
    told = run(*words, "--methods", "forest,cosine")
    out = tmp_path / "out"
    assert (told.code, told.err) == (0, "")
    assert (out / "table.md").read_text() in told.out
    assert "12 answers" in told.out
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [(row["method"], row["with"], row["without"], row["failed"]) for row in rows] == [
        ("forest", "4", "2", "0"),
        ("cosine", "4", "2", "0"),
    ]
    # Red on grey, and nothing red in the two others.
    assert [float(rows[0][name]) for name in ("iou", "found", "quiet", "ap")] == [100, 100, 100, 100]
    assert rows[1]["lead_iou"] != ""
    page = (out / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "forest" in page
    assert not (out / "costs.md").exists()


def test_the_verb_can_be_said(words: list[str], run: Run) -> None:
    told = run(words[0], "pictures", *words[1:], "--json")
    assert json.loads(told.out)["command"] == "evaluate pictures"


def test_costs_and_conditions(words: list[str], run: Run, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text("picture,light\nd0,dim\nd1.png,dim\nd2,bright\nd5,dim\n")
    more = [
        "--tags",
        str(tmp_path / "tags.csv"),
        "--false-alarm-cost",
        "2",
        "--miss-cost",
        "50",
        "--rate",
        "0.1",
    ]
    told = run(*words, *more, "--json")
    facts = json.loads(told.out)
    (cost,) = facts["costs"]
    assert (cost["own"]["mean"], cost["stop_all"], cost["pass_all"]) == pytest.approx((0, 1.8, 5))
    assert {row["value"] for row in facts["conditions"]} == {"bright", "dim"} - (
        {"bright"} if "d2" in read_jsonl(tmp_path / "out" / "results.jsonl")[0]["supports"] else set()
    )
    assert set(facts["files"]) == {"results", "table", "csv", "report", "conditions", "costs"}
    assert all(Path(path).is_file() for path in facts["files"].values())
    # What is not asked for again is not left from before.
    assert run(*words, "--resume", "--quiet").code == 0
    assert not (tmp_path / "out" / "costs.md").exists()


def test_ctrl_c_keeps_what_is_done_and_a_run_can_be_widened(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ByColour, "interrupt_after", 2)
    told = run(*words)
    assert told.code == 130
    assert "2 of 6" in told.err
    monkeypatch.setattr(ByColour, "interrupt_after", None)
    told = run(*words, "--resume")
    assert (told.code, len(ByColour.predicted)) == (0, 6)
    assert "2 answered before" in told.out
    told = run(*words, "--shots", "1,2", "--runs", "2", "--resume", "--json")
    # Two shots of the first run leave three pictures with a disc, and one shot then has the same three.
    assert json.loads(told.out)["skipped"] == 5
    assert json.loads(told.out)["answers"] == 20
    told = run(*words, "--labels", "any", "--resume")
    assert told.code == 2
    assert "labels was own, now any" in told.err


def test_a_bad_picture_is_named_and_the_others_go_on(
    words: list[str], run: Run, discs: Path, tmp_path: Path
) -> None:
    (discs / "images" / "d6.png").write_bytes(b"torn")
    told = run(*words)
    assert told.code == 3
    assert "d6.png" in told.err
    assert "Traceback" not in told.err
    assert told.err.count("d6.png") == 1
    errors = [line["error"] for line in read_jsonl(tmp_path / "out" / "results.jsonl")]
    assert errors == [None] * 5
    assert "d6.png" in (tmp_path / "out" / "report.html").read_text()


def test_a_bad_picture_is_never_shown_to_the_methods(
    words: list[str], run: Run, discs: Path, tmp_path: Path
) -> None:
    shown = json.loads(run(*words, "--json").out)
    assert shown["left_out"] == []
    (support,) = read_jsonl(tmp_path / "out" / "results.jsonl")[0]["supports"]
    (discs / "images" / f"{support}.png").write_bytes(b"torn")
    told = run(*words, "--overwrite", "--json")
    assert (told.code, json.loads(told.out)["failed"]) == (3, [])
    assert [one["picture"] for one in json.loads(told.out)["left_out"]] == [support]
    for path in (discs / "images").iterdir():
        path.write_bytes(b"torn")
    told = run(*words, "--overwrite")
    assert (told.code, "no picture with a mask can be used" in told.err) == (2, True)


def test_annotations_of_a_tool_will_do(run: Run, discs: Path, tmp_path: Path) -> None:
    images, annotations = [], []
    for number in range(7):
        images.append({"id": number + 1, "file_name": f"d{number}.png", "width": 64, "height": 48})
        if number < 5:
            x = 8 + 6 * number
            outline = [x, 17, x + 14, 17, x + 14, 31, x, 31]
            one = {"id": number + 1, "image_id": number + 1, "category_id": 1, "iscrowd": 0}
            annotations.append({**one, "segmentation": [outline], "bbox": [x, 17, 14, 14], "area": 196})
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "disc"}]}
    (tmp_path / "coco.json").write_text(json.dumps(document))
    told = run(
        *[
            "evaluate",
            str(tmp_path / "coco.json"),
            "--pictures",
            str(discs / "images"),
            "--methods",
            "forest",
        ],
        *["--shots", "1", "--runs", "1", "--out", str(tmp_path / "out"), "--json"],
    )
    assert told.code == 0, told.err
    (row,) = json.loads(told.out)["rows"]
    assert (row["label"], row["pictures"]) == ("disc", [4, 2])
    assert row["figures"]["quiet"]["mean"] == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "forst"], "Did you mean forest?"),
        (["--shots", "0"], "from 1 to 100"),
        (["--shots", "50"], "no class has more than 5"),
        (["--labels", "all"], "any"),
        (["--miss-cost", "3"], "give both"),
        (["--rate", "0.1"], "--false-alarm-cost"),
        (["--false-alarm-cost", "0", "--miss-cost", "0"], "above it"),
        (["--tags", "nowhere.csv"], "no such file"),
        (["--language", "fr"], "no language named"),
        (["--from", "coco", "--pictures", "nowhere"], "nowhere"),
        (["--from", "cocoa"], "no format 'cocoa'"),
    ],
)
def test_wrong_use_is_one_clear_line(
    words: list[str], run: Run, tmp_path: Path, more: list[str], said: str
) -> None:
    told = run(*words, *more)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert "Traceback" not in told.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_pictures_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    told = run("evaluate", str(tmp_path / "bare"), "--out", str(tmp_path / "out"))
    assert told.code == 2
    assert "cannot tell which format" in told.err
    assert run("evaluate", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")).code == 2


def test_the_report_can_be_japanese(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words, "--shots", "1,2", "--language", "ja").code == 0
    text = (tmp_path / "out" / "report.html").read_text()
    assert '<html lang="ja">' in text
    assert "参照画像は何枚で足りるか" in text
