import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.picture import Rgb
from kiridashi.data.pictures import write_picture

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A clip of a square that moves, and where its copies go."""
    for index in range(12):
        mask = np.zeros((24, 32), dtype=np.uint8)
        mask[8:16, 2 + index : 12 + index] = 1
        for part, values in (("frames", np.repeat(mask[..., None] * 200, 3, axis=2)), ("masks", mask)):
            folder = tmp_path / "clips" / "walk" / part
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(folder / f"{index:05d}.png")
    return ["diagnose", "make", str(tmp_path / "clips"), "--out", str(tmp_path / "out")]


def test_the_preset_makes_five_sets(words: list[str], run: Run, tmp_path: Path) -> None:
    told = run(*words)
    assert (told.code, told.err) == (0, "")
    assert "5 of 5 clips in 5 sets" in told.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"cut-3", "occlusion-3", "lighting-3", "speed-3", "viewpoint-3"}
    assert all((tmp_path / "out" / name / "meta.json").is_file() for name in names)


def test_a_set_can_be_evaluated(words: list[str], run: Run, tmp_path: Path) -> None:
    run(*words, "--transforms", "interjection:2", "--quiet")
    made, out = str(tmp_path / "out" / "interjection-2"), str(tmp_path / "scores")
    told = run("evaluate", "vos", made, "--out", out, "--methods", "still", "--json")
    (row,) = json.loads(told.out)["rows"]
    assert (row["set"], row["recovery"]["returns"], row["recovery"]["absent"]) == ("interjection-2", 1, 2)


def test_chosen_transformations_and_resume(words: list[str], run: Run) -> None:
    assert run(*words, "--transforms", "speed:1", "--quiet").code == 0
    assert run(*words, "--transforms", "speed:1").code == 2
    told = json.loads(run(*words, "--transforms", "speed:1,sensor-blur:4", "--resume", "--json").out)
    assert (told["clips"], told["skipped"], told["exit_code"]) == (2, 1, 0)
    assert list(told["sets"]) == ["speed-1", "sensor-blur-4"]
    assert run(*words, "--preset", "all", "--severity", "5", "--overwrite", "--quiet").code == 0


def test_names_are_listed(words: list[str], run: Run) -> None:
    told = run(*words, "--transforms", "list")
    assert told.code == 0
    assert "sensor-jpeg" in told.out
    assert "T10" in told.out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--preset", "fiv"], "Did you mean five?"),
        (["--transforms", "ocllusion:3"], "Did you mean occlusion?"),
        (["--transforms", "cut:9"], "from 0 to 5"),
        (["--format", "gif"], "jpg, png"),
        (["--split", "val"], "no split"),
    ],
)
def test_wrong_use(words: list[str], run: Run, more: list[str], says: str) -> None:
    told = run(*words, *more)
    assert told.code == 2
    assert says in told.err


def test_what_fails_is_named(words: list[str], run: Run, tmp_path: Path) -> None:
    (tmp_path / "clips" / "walk" / "frames" / "00004.png").write_bytes(b"no picture")
    told = run(*words, "--transforms", "cut:1")
    assert told.code == 3
    assert "cut-1, walk" in told.err
    assert "00004.png" in told.err


def test_ctrl_c_keeps_what_is_done(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def write(path: Path, pixels: Rgb, quality: int) -> None:
        calls.append(1)
        if len(calls) > 14:
            raise KeyboardInterrupt
        write_picture(path, pixels, quality)

    monkeypatch.setattr("kiridashi.transforms.making.write_picture", write)
    told = run(*words, "--transforms", "identity,lighting")
    assert told.code == 130
    assert "1 of 2" in told.err
    assert json.loads(run(*words, "--transforms", "identity", "--resume", "--json").out)["skipped"] == 1


def test_help(run: Run) -> None:
    for verb in ([], ["make"]):
        assert run("diagnose", *verb, "--help").code == 0
