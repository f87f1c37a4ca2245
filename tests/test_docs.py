"""What the README tells a newcomer to type is typed here, in both languages."""

import csv
import json
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from kiridashi.cli import main

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.ja.md")
# These need a network or files that no newcomer has yet, or are long and run by a test of their own tutorial.
NOT_HERE = (
    "...",
    "../shared/data",
    "kiridashi demo",
    "kiridashi doctor",
    "kiridashi poc site.yaml",
    "kiridashi adapt mine/",
    "kiridashi diagnose frames/",
)


TUTORIAL = "docs/tutorials/catalogue-to-shop-floor.md"
GROWING = "docs/tutorials/growing-classes.md"
OK_NG = "docs/tutorials/ok-ng-to-defects.md"
FOLLOWING = "docs/tutorials/following-a-thing.md"


def blocks(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[str]:
    lines = [line for block in blocks(readme, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("kiridashi") and not any(s in line for s in NOT_HERE)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README's examples name."""
    coins: NDArray[np.uint8] = np.stack([data.coins()] * 3, axis=2)
    Image.fromarray(coins).save(tmp_path / "part.jpg")
    Image.fromarray(coins[:, ::-1].copy()).save(tmp_path / "photo.jpg")
    height, width = coins.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    rows, columns = np.ogrid[:height, :width]
    mask[(rows - 46) ** 2 + (columns - 45) ** 2 <= 22**2] = 255
    Image.fromarray(mask).save(tmp_path / "part.png")
    (tmp_path / "photos").mkdir()
    Image.fromarray(coins[100:250]).save(tmp_path / "photos" / "one.jpg")
    for folder in ("images", "masks"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    for name, row in {"a": 0, "b": 60, "c": 130}.items():
        Image.fromarray(coins[row : row + 90, :140]).save(tmp_path / "mine" / "images" / f"{name}.jpg")
        found = (coins[row : row + 90, :140, 0] > 120).astype(np.uint8)
        Image.fromarray(found).save(tmp_path / "mine" / "masks" / f"{name}.png")
    (tmp_path / "scratches").mkdir()
    Image.fromarray(coins).save(tmp_path / "scratches" / "coin.jpg")
    Image.fromarray(mask).save(tmp_path / "scratches" / "coin_mask.png")
    (tmp_path / "labelled").mkdir()
    labels = ["picture,label"]
    for number in range(3):
        one = coins[20:72, 20 + 55 * number : 72 + 55 * number]
        Image.fromarray(one).save(tmp_path / "labelled" / f"coin{number}.png")
        Image.fromarray(np.full_like(one, 60 + 10 * number)).save(tmp_path / "labelled" / f"bare{number}.png")
        labels += [f"labelled/coin{number}.png,coin", f"labelled/bare{number}.png,OK"]
    (tmp_path / "labels.csv").write_text("\n".join(labels) + "\n")
    (tmp_path / "frames").mkdir()
    for number in range(3):
        moved = np.roll(coins, 4 * number, axis=1)
        Image.fromarray(moved).save(tmp_path / "frames" / f"{number}.png")
    Image.fromarray(mask).save(tmp_path / "first.png")
    (tmp_path / "export.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "photo.jpg", "width": width, "height": height}],
                "categories": [{"id": 1, "name": "coin"}],
                "annotations": [
                    {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[9, 9, 60, 9, 60, 60, 9, 60]]}
                ],
            }
        )
    )
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "image": "photo.jpg", "box": [10, 20, 200, 180]}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_run(readme: str, desk: Path) -> None:
    typed = commands(readme)
    assert len(typed) >= 4
    for line in typed:
        assert main(shlex.split(line, comments=True)[1:]) == 0, line
    assert (desk / "found" / "report.html").is_file()
    assert (desk / "mask.png").is_file()
    assert (desk / "cuts" / "masks" / "a.png").is_file()
    assert (desk / "all" / "annotations.json").is_file()
    assert (desk / "compared" / "table.md").is_file()
    assert (desk / "set" / "data.yaml").is_file()
    assert (desk / "checked" / "report.html").is_file()
    assert (desk / "detected" / "annotations.json").is_file()
    assert (desk / "located" / "report.html").is_file()
    assert (desk / "tracked" / "masks" / "00002.png").is_file()


@pytest.mark.parametrize("readme", READMES)
def test_the_python_example_runs(readme: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(readme, "python")
    exec(compile(code, readme, "exec"), {})
    assert "Verdict(present=" in capsys.readouterr().out


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIRIDASHI_CACHE", str(tmp_path / "cache"))
    (code,) = blocks(TUTORIAL, "python")
    exec(compile(code, TUTORIAL, "exec"), {})
    for line in commands(TUTORIAL):
        assert main(shlex.split(line)[1:]) == 0, line
    assert (tmp_path / "bridge" / "transitions" / "one.jpg").is_file()
    for method, least in {"prototype": 12, "concat": 5, "cav": 5}.items():
        found = json.loads((tmp_path / method / "annotations.json").read_text())["annotations"]
        assert len(found) >= least, method


def test_the_tutorial_of_growing_classes_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(GROWING, "python")
    exec(compile(code, GROWING, "exec"), {})
    for line in commands(GROWING):
        assert main(shlex.split(line)[1:]) == 0, line
    told = capsys.readouterr().out
    # What the page tells: the mistake shows, is taken back, and grease on the lens is noticed.
    for said in ("washer  100 % -> 0 %", "(5 background) - taken back", "look at washer"):
        assert said in told
    assert (tmp_path / "drift.svg").is_file()
    first = named(tmp_path / "sunday-found")
    assert list(first) == ["washer"]
    assert first["washer"] >= 12
    found = named(tmp_path / "monday-found")
    # Five trays with three washers, two nuts and one rusty washer on each.
    for name, count in {"washer": 15, "nut": 10, "rusty washer": 5}.items():
        assert count - 2 <= found[name] <= count + 4, name


def test_the_tutorial_of_ok_and_ng_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIRIDASHI_CACHE", str(tmp_path / "cache"))
    (code,) = blocks(OK_NG, "python")
    drawn: dict[str, Any] = {}
    exec(compile(code, OK_NG, "exec"), drawn)
    for line in commands(OK_NG):
        assert main(shlex.split(line)[1:]) == 0, line
    truth = {f"{number}.jpg": box for number, box in enumerate(drawn["defects"]) if box}
    found = boxes_of(tmp_path / "found")
    # What the page tells: each defect is outlined, and nothing on the plates without one.
    assert set(found) == set(truth)
    assert all(box_iou(found[name], box) > 0.5 for name, box in truth.items())
    with (tmp_path / "found" / "review.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    doubts = [float(row["doubt"]) for row in rows]
    assert doubts == sorted(doubts, reverse=True)
    assert [row["sample"] for row in rows].count("") == len(drawn["defects"]) - len(truth)
    # With few points the coarse region stays somewhere, and the run says so.
    assert "of them kept coarse" in capsys.readouterr().out
    assert named(tmp_path / "detected")["defect"] >= 4
    assert "points_per_side" in json.loads((tmp_path / "swept" / "recommended.json").read_text())


def test_the_tutorial_of_following_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(FOLLOWING, "python")
    exec(compile(code, FOLLOWING, "exec"), {})
    for line in commands(FOLLOWING):
        assert main(shlex.split(line)[1:]) == 0, line
    # What the page tells: lost behind the pillar and at the cut, found before, between and after.
    states = {int(row["frame"]): row["state"] for row in tracks(tmp_path / "tracked")}
    assert {states[frame] for frame in (*range(12), 23, *range(28, 34))} == {"found"}
    assert {states[frame] for frame in (16, 17, 24, 25, 26)} == {"lost"}
    where = [row for row in tracks(tmp_path / "tracked") if row["frame"] == "31"]
    assert float(where[0]["x0"]) > 340
    assert 400 < float(where[0]["x1"]) < 460
    # The click adds the load, which the box had left out.
    tops = [float(row["y0"]) for row in tracks(tmp_path / "corrected")]
    assert min(tops[:2]) > 155
    assert max(tops[2:]) < 150
    frames = [int(row["frame"]) for row in tracks(tmp_path / "both") if row["object"] == "2"]
    assert frames == list(range(10, 24))
    assert {row["state"] for row in tracks(tmp_path / "again")} == {"found"}


def tracks(folder: Path) -> list[dict[str, str]]:
    """The lines of a run of `track`."""
    with (folder / "tracks.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def boxes_of(folder: Path) -> dict[str, tuple[float, float, float, float]]:
    """The box of each picture's last object, by the file's name."""
    document = json.loads((folder / "annotations.json").read_text())
    files = {one["id"]: Path(one["file_name"]).name for one in document["images"]}
    corners = {}
    for one in document["annotations"]:
        x, y, width, height = one["bbox"]
        corners[files[one["image_id"]]] = (x, y, x + width, y + height)
    return corners


def box_iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Of two boxes x0, y0, x1, y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def named(folder: Path) -> Counter[str]:
    """How many objects of each class a detection has."""
    document = json.loads((folder / "annotations.json").read_text())
    names = {one["id"]: one["name"] for one in document["categories"]}
    return Counter(names[one["category_id"]] for one in document["annotations"])


PAGES = [str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", [*READMES, "ARCHITECTURE.md", "CONTRIBUTING.md", *sorted(PAGES)])
def test_links_to_files_lead_somewhere(page: str) -> None:
    text, folder = (ROOT / page).read_text(encoding="utf-8"), (ROOT / page).parent
    targets = [target for target in re.findall(r"\]\(([^)#]+)[)#]", text) if "://" not in target]
    assert [target for target in targets if not (folder / target).exists()] == []
