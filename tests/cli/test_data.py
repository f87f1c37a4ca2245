import csv
import json
from pathlib import Path

import pytest
from tests.data.formats.made import small_set, write_png

from kiridashi.cli import main
from kiridashi.data.formats import read_set, write_set


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_set(small_set(tmp_path / "in"), tmp_path / "site", "coco")
    return tmp_path / "site"


def test_convert_tells_what_is_lost(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "convert", str(site), "--to", "yolo", "--out", str(tmp_path / "y")]) == 0
    told = capsys.readouterr().out
    assert "coco to yolo: 2 pictures, 2 objects" in told
    assert "not kept: 2 ids of classes (numbered anew)" in told
    assert "not kept: 1 attributes of annotations" in told
    assert dict(read_set(tmp_path / "y").classes) == {0: "dent", 1: "傷 & <b>"}


def test_convert_with_shapes_and_without_pictures(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "data",
        "convert",
        str(site),
        "--to",
        "coco",
        "--shapes",
        "polygon",
        "--bring",
        "none",
        "--json",
    ]
    assert main([*command, "--out", str(tmp_path / "p")]) == 0
    assert json.loads(capsys.readouterr().out)["annotations"] == 2
    document = json.loads((tmp_path / "p" / "annotations" / "instances_train.json").read_text())
    assert all(isinstance(one["segmentation"], list) for one in document["annotations"])
    assert not (tmp_path / "p" / "images").exists()
    back = next(iter(read_set(tmp_path / "p", pictures=site / "images")))
    assert back.annotations[0].mask(back.size) == next(iter(read_set(site))).annotations[0].mask(back.size)


def test_convert_goes_on_past_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 nan 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "classes.txt").write_text("x\n")
    assert main(["data", "convert", str(tmp_path), "--to", "cvat", "--out", str(tmp_path / "c")]) == 3
    captured = capsys.readouterr()
    assert "1 picture, 1 object" in captured.out
    assert "left out: a.png, annotation 1: a box has a number that is not finite" in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "nothing"], "no format 'nothing'; there are coco, yolo"),
        (["--to", "coco", "--bring", "move"], "--bring is one of copy, link, none; got 'move'"),
        (["--to", "coco", "--shapes", "x"], "--shapes is one of keep, polygon, bitmap"),
        (["--to", "coco", "--from", "x"], "no format 'x'"),
        (["--to", "coco", "--pictures", "nowhere"], "expected the folder of the pictures"),
    ],
)
def test_wrong_use_is_told(
    arguments: list[str], said: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "convert", str(site), *arguments, "--out", str(tmp_path / "o")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_check_writes_a_report_and_repairs(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "images" / "b.png").unlink()
    out, repaired = tmp_path / "report", tmp_path / "repaired"
    command = ["data", "check", str(site), "--out", str(out)]
    assert main([*command, "--repair", str(repaired)]) == 3
    captured = capsys.readouterr()
    assert "error      1  no file of the picture  picture left out" in captured.out
    assert "repaired set in" in captured.out
    assert "error found: b.png" in captured.err
    (line,) = [json.loads(text) for text in (out / "problems.jsonl").read_text().splitlines()]
    assert (line["kind"], line["severity"], line["picture"]) == ("missing-file", "error", "b.png")
    page = (out / "report.html").read_text()
    assert "no file of the picture" in page
    assert [one.name for one in read_set(repaired)] == ["a.png"]
    assert main(["data", "check", str(repaired), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == {}
    assert main(command) == 2
    assert "already holds a report; add --overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--language", "ja", "--quiet"]) == 3
    assert "画像ファイルがない" in (out / "report.html").read_text()


def test_split_keeps_classes_and_writes_a_table(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "data",
        "split",
        str(site),
        "--parts",
        "train=1,test=rest",
        "--out",
        str(tmp_path / "s"),
        "--to",
        "voc",
    ]
    assert main([*command, "--no-likeness"]) == 0
    assert "coco to voc: 2 pictures" in capsys.readouterr().out
    with (tmp_path / "s" / "splits.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["picture"] for row in rows] == ["a.png", "b.png"]
    assert {row["part"] for row in rows} == {one.split for one in read_set(tmp_path / "s")}
    with_tag = ["data", "split", str(site), "--group", "line", "--out", str(tmp_path / "t")]
    assert main(with_tag) == 2
    assert "no picture has a tag 'line'" in capsys.readouterr().err


def test_stats_as_table_and_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stats", str(site)]) == 0
    told = capsys.readouterr().out
    assert "splits                train 1, val 1" in told
    assert "傷 & <b>" in told
    assert main(["data", "stats", str(site), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"][0]["name"] == "dent"
