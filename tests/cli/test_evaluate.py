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

from kiridashi.data.lines import read_jsonl
from kiridashi.evaluate.baselines.cosine import CosinePrototypes

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("random_model")


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Six pictures of a red disc with their masks."""
    rows, columns = np.ogrid[:48, :64]
    for index in range(6):
        inside = (columns - 15 - 6 * index) ** 2 + (rows - 24) ** 2 <= 100
        pixels = np.full((48, 64, 3), 90, dtype=np.uint8)
        pixels[inside] = (210, 40, 40)
        for part, values in (("images", pixels), ("masks", inside.astype(np.uint8) * 255)):
            (tmp_path / "discs" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / "discs" / part / f"d{index}.png")
    return tmp_path / "discs"


@pytest.fixture
def words(discs: Path, tmp_path: Path) -> list[str]:
    """A command of four episodes with one method."""
    return [
        "evaluate",
        "cdfss",
        str(discs),
        "--episodes",
        "4",
        "--out",
        str(tmp_path / "out"),
        "--methods",
        "cosine",
    ]


def keys(folder: Path) -> list[tuple[Any, ...]]:
    lines = read_jsonl(folder / "results.jsonl")
    return [(line["shots"], line["seed"], line["episode"], line["method"]) for line in lines]


def test_writes_what_it_promises(words: list[str], run: Run, tmp_path: Path) -> None:
    told = run(*words[:-1], "forest,cosine", "--shots", "1,2")
    out = tmp_path / "out"
    assert (told.code, told.err) == (0, "")
    assert (out / "table.md").read_text() in told.out
    assert "mIoU minus forest" in told.out
    assert "16 answers" in told.out
    assert len(keys(out)) == len(set(keys(out))) == 16
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [(row["shots"], row["method"], row["episodes"]) for row in rows] == [
        ("1", "forest", "4"),
        ("1", "cosine", "4"),
        ("2", "forest", "4"),
        ("2", "cosine", "4"),
    ]
    # Red on grey: the forest must find it, whatever the network is worth.
    assert all(float(row["miou"]) > 80 for row in rows if row["method"] == "forest")
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_methods_are_made_without_verdict_and_split(
    words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def make(name: str, model: Any, **options: Any) -> CosinePrototypes:
        asked.append((name, options))
        return CosinePrototypes(model)

    monkeypatch.setattr("kiridashi.reference.methods.make_method", make)
    assert run(*words[:-1], "prototype", "--seed", "7").code == 0
    assert asked == [("prototype", {"verdict": False, "instances": False, "seed": 7})] * 4


def test_json_is_the_only_thing_on_standard_output(words: list[str], run: Run) -> None:
    told = json.loads(run(*words, "--json", "--runs", "2").out)
    assert [told["answers"], told["skipped"], told["failed"], told["exit_code"]] == [8, 0, [], 0]
    (row,) = told["rows"]
    assert (row["set"], row["method"], row["episodes"], row["lead"]) == ("discs", "cosine", 8, None)
    assert 0 <= row["miou"]["low"] <= row["miou"]["mean"] <= row["miou"]["high"] <= 1
    assert all(Path(path).is_file() for path in told["files"].values())


def test_quiet_says_nothing(words: list[str], run: Run) -> None:
    told = run(*words, "--quiet")
    assert (told.code, told.out, told.err) == (0, "", "")


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = CosinePrototypes.predict, []

    def predict(self: CosinePrototypes, picture: Any) -> Any:
        calls.append(picture.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(self, picture)

    monkeypatch.setattr(CosinePrototypes, "predict", predict)
    told = run(*words)
    assert told.code == 130
    assert "2 of 4" in told.err
    assert "--resume" in told.err
    with (tmp_path / "out" / "results.jsonl").open("a") as stream:
        stream.write('{"set": "torn')
    told = run(*words, "--resume")
    assert told.code == 0
    assert "2 answered before" in told.out
    assert len(calls) == 5
    assert len(keys(tmp_path / "out")) == 4


def test_a_run_can_be_widened_but_not_changed(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words).code == 0
    before = keys(tmp_path / "out")
    told = run(*words[:-1], "cosine,forest", "--episodes", "5", "--shots", "1,2", "--resume", "--json")
    assert json.loads(told.out)["skipped"] == 4
    assert set(before) < set(keys(tmp_path / "out"))
    assert len(keys(tmp_path / "out")) == 20
    told = run(*words, "--resume", "--vote")
    assert told.code == 2
    assert "vote was False, now True" in told.err
    assert run(*words).code == 2
    assert run(*words, "--overwrite", "--vote").code == 0
    assert len(keys(tmp_path / "out")) == 4


def test_a_bad_picture_is_named_and_the_others_go_on(
    words: list[str], run: Run, discs: Path, tmp_path: Path
) -> None:
    (discs / "images" / "d2.png").write_bytes(b"torn")
    told = run(*words, "--episodes", "8")
    assert told.code == 3
    assert "d2.png" in told.err
    assert "Traceback" not in told.err
    errors = [line["error"] for line in read_jsonl(tmp_path / "out" / "results.jsonl")]
    assert 0 < sum(error is not None for error in errors) < 8
    assert "d2.png" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "cosin"], "Did you mean cosine?"),
        (["--methods", "cosine,cosine"], "different names"),
        (["--shots", "0"], "from 1 to 16"),
        (["--shots", "one"], "from 1 to 16"),
        (["--draw", "patnt"], "Did you mean patnet?"),
        (["--language", "fr"], "no language named"),
        (["--model", "compac"], "compact"),
    ],
)
def test_wrong_use_is_one_clear_line(
    words: list[str], run: Run, tmp_path: Path, more: list[str], said: str
) -> None:
    told = run(*words, *more)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_set_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    told = run(
        "evaluate", "cdfss", str(tmp_path / "bare"), "--out", str(tmp_path / "out"), "--methods", "cosine"
    )
    assert told.code == 2
    assert "expected images/ and masks/" in told.err


def test_the_report_can_be_japanese(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words, "--language", "ja").code == 0
    text = (tmp_path / "out" / "report.html").read_text()
    assert '<html lang="ja">' in text
    assert "参照セグメンテーション評価レポート" in text


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What `cav` is made with; of its ways only two are left, that are taken in turn."""
    from kiridashi.reference import methods
    from kiridashi.reference.cav import Cav

    given: list[dict[str, Any]] = []
    make, ways = methods.make_method, iter(["none", "cross-fade"] * 50)

    def quick(name: str, model: Any, **more: Any) -> Any:
        method = make(name, model, **more)
        if isinstance(method, Cav):
            given.append(more)
            method.options = replace(method.options, bridges=("none", "cross-fade"))
        return method

    monkeypatch.setattr(methods, "make_method", quick)
    monkeypatch.setattr("kiridashi.reference.cav.method.choose", lambda cycles, margin: next(ways))
    monkeypatch.setenv("KIRIDASHI_CACHE", str(tmp_path / "kept"))
    return given


def test_says_which_way_cav_chose_and_what_that_was_worth(
    words: list[str], run: Run, chosen: list[dict[str, Any]], tmp_path: Path
) -> None:
    told = run(*words[:-1], "concat,cav", "--json")
    assert told.code == 0, told.err
    summary = json.loads(told.out)
    (row,) = summary["bridges"]
    assert (row["set"], row["shots"], row["method"]) == ("discs", 1, "cav")
    assert row["taken"] == {"none": 2, "cross-fade": 2}
    ious = {
        name: np.mean(
            [line["iou"] for line in read_jsonl(tmp_path / "out" / "results.jsonl") if line["method"] == name]
        )
        for name in ("concat", "cav")
    }
    assert row["worth"]["mean"] == pytest.approx(ious["cav"] - ious["concat"], abs=1e-5)
    ways = [
        [each.get("bridge") for each in line["provenance"]]
        for line in read_jsonl(tmp_path / "out" / "results.jsonl")
        if line["method"] == "cav"
    ]
    assert ways == [["none"], ["cross-fade"], ["none"], ["cross-fade"]]
    assert "mean IoU minus concat" in (tmp_path / "out" / "bridges.md").read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "directly: 2" in page
    assert "cross-fade: 2" in page
    assert {more["options"].cache for more in chosen} == {tmp_path / "kept"}
    told = run(*words[:-1], "concat,cav", "--resume")
    assert (tmp_path / "out" / "bridges.md").read_text() in told.out


def test_without_the_plain_pair_nothing_is_said_of_the_worth(
    words: list[str], run: Run, chosen: list[dict[str, Any]]
) -> None:
    told = run(
        *words[:-1],
        "cav",
        "--episodes",
        "1",
        "--shots",
        "2",
        "--vote",
        "--transition-preset",
        "balanced",
        "--json",
    )
    (row,) = json.loads(told.out)["bridges"]
    # One query with two answers.
    assert sum(row["taken"].values()) == 2
    assert row["worth"] is None
    assert {more["options"].transition.frames for more in chosen} == {7}


def test_methods_without_a_choice_leave_no_bridges(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words[:-1], "concat,cav-affine").code == 0
    assert not (tmp_path / "out" / "bridges.md").exists()
    told = run(*words[:-1], "concat", "--transition-preset", "fast", "--resume")
    assert told.code == 2
    assert "--transition-preset" in told.err
    told = run(*words[:-1], "concat,cav-affine", "--transition-preset", "balanced", "--resume")
    assert told.code == 2
    assert "transition preset was None, now balanced" in told.err
