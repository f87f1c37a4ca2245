import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.cli import evaluate_wsol_methods as wiring
from kiridashi.data.lines import read_jsonl
from kiridashi.evaluate.wsol.baselines import WholePicture
from kiridashi.localize.training import fitting

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("random_model", "quick")
COLOURS = {"cat": (220, 200, 60), "dog": (60, 90, 220)}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One epoch of training; what was trained is noted."""
    trained: list[int] = []
    plain_options, plain_train = wiring.training_options, fitting.train

    def train(items: Any, *rest: Any, **more: Any) -> Any:
        trained.append(len(items))
        return plain_train(items, *rest, **more)

    monkeypatch.setattr(fitting, "train", train)
    monkeypatch.setattr(
        wiring,
        "training_options",
        lambda *words: replace(plain_options(*words), epochs=1, least_epochs=1, views=1),
    )
    return trained


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Six train and two test pictures of two classes with boxes and masks."""
    folder = tmp_path / "animals"
    items = []
    for number in range(8):
        label = ("cat", "dog")[number % 2]
        inside = np.zeros((48, 64), dtype=bool)
        inside[10:30, 4 * number : 24 + 4 * number] = True
        pixels = np.full((48, 64, 3), 90, dtype=np.uint8)
        pixels[inside] = COLOURS[label]
        for part, values in (("images", pixels), ("masks", inside.astype(np.uint8))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(folder / part / f"p{number}.png")
        items.append({"id": f"p{number}", "label": label, "split": "train" if number < 6 else "test"})
    (folder / "meta.json").write_text(json.dumps({"classes": {}, "items": items}))
    return folder


@pytest.fixture
def words(animals: Path, tmp_path: Path) -> list[str]:
    places = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    return ["evaluate", "wsol", str(animals), *places, "--grid", "2", "--methods"]


def test_all_methods_answer_from_one_network(
    words: list[str], run: Run, tmp_path: Path, quick: list[int]
) -> None:
    names = "cam,grad-cam,gtformer,pro2sam,best-predicted,whole,centre"
    told = run(*words, names)
    out = tmp_path / "out"
    assert (told.code, told.err) == (0, "")
    assert quick == [4]
    assert (out / "table.md").read_text() in told.out
    assert "thresholds chosen on 10 % of train, held back from learning; measured on test" in told.out
    assert "28 answers" in told.out
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [row["method"] for row in rows] == names.split(",")
    assert all(row["answers"] == "2" for row in rows)
    # Those with classes, those with maps, and the one that chooses.
    assert [bool(row["top1"]) for row in rows] == [True] * 4 + [False] * 3
    assert [bool(row["pxap"]) for row in rows] == [True] * 4 + [False, False, True]
    assert [bool(row["fallback_share"]) for row in rows] == [False] * 3 + [True] + [False] * 3
    assert len((out / "coarse_and_final.csv").read_text().splitlines()) == 3
    lines = read_jsonl(out / "results.jsonl")
    assert {line["note"] for line in lines if line["method"] != "pro2sam"} == {""}
    assert all(line["note"] for line in lines if line["method"] == "pro2sam")


def test_resume_takes_the_network_that_is_there(words: list[str], run: Run, quick: list[int]) -> None:
    assert run(*words, "cam").code == 0
    assert run(*words, "cam").code == 2
    told = json.loads(run(*words, "cam,gtformer", "--resume", "--json").out)
    assert (told["answers"], told["skipped"], told["exit_code"]) == (8, 4, 0)
    assert quick == [4]
    assert [row["method"] for row in told["rows"]] == ["cam", "gtformer"]
    assert told["splits"].keys() == {"animals"}
    assert all(Path(path).is_file() for path in told["files"].values())
    refused = run(*words, "cam", "--resume", "--tune-on", "none")
    assert refused.code == 2
    assert "tune on was auto, now none" in refused.err


def test_other_labels_are_another_lesson(words: list[str], run: Run, animals: Path, quick: list[int]) -> None:
    run(*words, "cam", "--quiet")
    text = (animals / "meta.json").read_text()
    (animals / "meta.json").write_text(text.replace('"p0", "label": "cat"', '"p0", "label": "dog"'))
    told = run(*words, "cam", "--resume", "--quiet")
    assert (told.code, told.out, told.err) == (0, "", "")
    assert quick == [4, 4]


def test_ctrl_c_keeps_what_is_done(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = WholePicture.answer, []

    def answer(self: WholePicture, picture: Any, given: int) -> Any:
        calls.append(picture.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(self, picture, given)

    monkeypatch.setattr(WholePicture, "answer", answer)
    told = run(*words, "whole")
    assert told.code == 130
    assert "2 of 4" in told.err
    assert json.loads(run(*words, "whole", "--resume", "--json").out)["skipped"] == 2


def test_what_fails_is_named(words: list[str], run: Run, animals: Path) -> None:
    (animals / "images" / "p7.png").write_bytes(b"no picture")
    told = run(*words, "whole,centre")
    assert told.code == 3
    assert "animals, test, p7, whole" in told.err


def test_a_table_of_labels_and_boxes(run: Run, animals: Path, tmp_path: Path) -> None:
    rows = ["picture,label,split,x0,y0,x1,y1"]
    for number in range(8):
        split = "train" if number < 4 else "val" if number < 6 else "test"
        box = f"{4 * number},10,{24 + 4 * number},30"
        rows.append(f"p{number}.png,{('cat', 'dog')[number % 2]},{split},{box}")
    rows.append("gone.png,cat,train,,,,")
    (tmp_path / "parts.csv").write_text("\n".join(rows))
    told = run(
        *("evaluate", "wsol", str(tmp_path / "parts.csv"), "--pictures", str(animals / "images"), "--json"),
        *("--out", str(tmp_path / "out"), "--methods", "whole", "--size", "0"),
        *("--cache", str(tmp_path / "cache")),
    )
    assert told.code == 0
    assert "gone.png" in told.err
    found = json.loads(told.out)
    assert found["splits"] == {"parts": "thresholds chosen on val; measured on test"}
    lines = read_jsonl(tmp_path / "out" / "results.jsonl")
    # 24 x 20 of 48 x 64 pixels, at the picture's own size.
    assert lines[0]["own_iou"] == pytest.approx(480 / 3072)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["gtfomer"], "Did you mean gtformer?"),
        (["cam,cam"], "different names"),
        (["cam", "--labels", "defects"], "Did you mean defect?"),
        (["cam", "--labels", "defect"], "every picture has a class"),
        (["cam", "--trunk", "resnet"], "no trunk named"),
        (["cam", "--test-splits", "dev"], "no split 'dev'"),
        (["cam", "--tune-share", "1.5"], "between 0 and 1"),
        (["cam", "--pictures", "."], "has pictures of its own"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(
    words: list[str], run: Run, tmp_path: Path, more: list[str], told: str
) -> None:
    found = run(*words, *more)
    assert found.code == 2
    assert told in " ".join(found.err.split())
    assert not (tmp_path / "out").exists()
