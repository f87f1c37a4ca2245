"""The command on a network of chance: what it writes and refuses, not what it says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.video.discs import disc_at, frame_at

from kiridashi.models.promptable import PromptableModel
from kiridashi.report.diagnosis.lines import Line

Run = Callable[..., SimpleNamespace]
FRAMES = 4


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch, tiny_compact: PromptableModel) -> PromptableModel:
    made = PromptableModel(tiny_compact.net, replace(tiny_compact.card, recalls_by_matching=True))
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: made)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clip of four frames with its masks, and one of another size."""
    for folder in ("clip", "masks"):
        (tmp_path / folder).mkdir()
    for index in range(FRAMES):
        Image.fromarray(frame_at(index).pixels).save(tmp_path / "clip" / f"{index}.png")
        inside = disc_at(index).to_array().astype(np.uint8) * 255
        Image.fromarray(inside).save(tmp_path / "masks" / f"{index}.png")
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / "empty.png")
    Image.fromarray(np.ones((8, 9), np.uint8)).save(tmp_path / "other.png")
    return tmp_path


def words(root: Path, *more: str) -> list[str]:
    files = [word.replace("ROOT", str(root)) for word in more]
    given = [] if "--mask" in files else ["--mask", str(root / "masks" / "0.png")]
    return ["diagnose", str(root / "clip"), *given, "--out", str(root / "out"), *files]


def lines(root: Path) -> dict[str, Line]:
    text = (root / "out" / "results.jsonl").read_text()
    found = [Line.from_json(json.loads(one)) for one in text.splitlines()]
    return {one.key.label: one for one in found}


def test_everything_is_in_the_folder(root: Path, run: Run) -> None:
    told = run(*words(root, "--transforms", "speed-slow:1,cut", "--severity", "1", "--prompts", "absent"))
    assert told.code == 0, told.err
    assert "look at" in told.out
    found = lines(root)
    assert list(found) == ["self-test", "clean", "cut-1", "speed-slow-1", "prompts-absent"]
    assert len(found["clean"].frames) == FRAMES
    assert len(found["speed-slow-1"].frames) == 2 * FRAMES
    # Without true masks there is nothing to hold the clip as it is against.
    assert found["clean"].j_and_f is None
    assert found["speed-slow-1"].j_and_f is not None
    page = (root / "out" / "report.html").read_text()
    assert "No true masks were given" in page
    assert page.count("<svg") >= 4
    assert "http" not in page.replace("http://www.w3.org", "").replace("https://github.com", "")
    verdict = json.loads((root / "out" / "verdict.json").read_text())
    assert set(verdict) == {"fault", "findings", "weaknesses", "stands", "untried", "parted"}
    table = (root / "out" / "stages.csv").read_text().splitlines()
    assert table[0].startswith("run,frame,source,found,score,j,f,distance,stage,raw,natural")
    assert sum(row.startswith("clean,") for row in table) == FRAMES * 6 - 1
    for stage in ("frame", "encoder", "vote", "decoder", "pointer", "written"):
        assert (root / "out" / "pictures" / "clean" / f"{stage}.jpg").is_file(), stage


def test_true_masks_are_measured_against(root: Path, run: Run) -> None:
    told = run(*words(root, "--truth", "ROOT/masks", "--transforms", "none", "--prompts", "none", "--json"))
    assert told.code == 0, told.err
    said = json.loads(told.out)
    assert list(said["runs"]) == ["self-test", "clean"]
    assert said["runs"]["clean"] is not None
    assert "No true masks" not in (root / "out" / "report.html").read_text()


def test_a_diagnosis_goes_on_and_takes_more_runs(root: Path, run: Run) -> None:
    small = ("--transforms", "speed-slow:1", "--prompts", "none")
    run(*words(root, *small, "--quiet"))
    first = lines(root)
    again = run(*words(root, *small, "--quiet"))
    assert again.code == 2
    assert "--resume" in again.err
    told = run(
        *words(
            root,
            "--transforms",
            "speed-slow:1,lighting:2",
            "--prompts",
            "none",
            "--resume",
            "--language",
            "ja",
        )
    )
    assert told.code == 0, told.err
    more = lines(root)
    assert list(more) == ["self-test", "clean", "speed-slow-1", "lighting-2"]
    assert more["speed-slow-1"] == first["speed-slow-1"]
    assert "動画の診断" in (root / "out" / "report.html").read_text()
    changed = run(*words(root, *small, "--seed", "3", "--resume"))
    assert (changed.code, "seed was 0, now 3" in changed.err) == (2, True)


def test_a_run_that_fails_is_named_and_the_others_go_on(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiridashi.transforms.lighting import Lighting

    def fail(*_: object) -> None:
        raise ValueError("planted")

    monkeypatch.setattr(Lighting, "__call__", fail)
    told = run(*words(root, "--transforms", "lighting:2,speed-slow:1", "--prompts", "none"))
    assert told.code == 3
    assert "lighting-2: unexpected ValueError: planted" in told.err
    assert lines(root)["speed-slow-1"].error is None
    assert "planted" in (root / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--mask", "ROOT/empty.png"), "the mask is empty"),
        (("--mask", "ROOT/other.png"), "the mask is 9 x 8 pixels, the frames 64 x 48"),
        (("--mask", "ROOT/none.png"), "none.png"),
        (("--transforms", "blurr"), "transformation"),
        (("--severity", "6"), "--severity takes numbers from 1 to 5"),
        (("--prompts", "often"), "prompts"),
        (("--truth", "ROOT/clip/.."), "masks for 4 frames"),
        (("--frames", "2"), "at least 3 frames"),
        (("--language", "fr"), "language"),
        (("--donor", "ROOT"), "another scene is a folder of frames"),
    ],
)
def test_what_is_refused(root: Path, run: Run, more: tuple[str, ...], said: str) -> None:
    if "--donor" in more:
        (root / "empty.png").unlink()
        (root / "other.png").unlink()
    told = run(*words(root, *more))
    assert told.code in (2, 3)
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_clip_too_short(root: Path, run: Run) -> None:
    for name in ("2.png", "3.png"):
        (root / "clip" / name).unlink()
    told = run(*words(root))
    assert "2 frames that can be used; it takes 3" in told.err


def test_an_unreadable_frame_is_left_out(root: Path, run: Run) -> None:
    (root / "clip" / "2.png").write_bytes(b"no picture")
    told = run(*words(root, "--transforms", "speed-slow:1", "--prompts", "none"))
    assert told.code == 0, told.err
    assert [frame.source for frame in lines(root)["clean"].frames] == [0, 1, 3]
    assert [frame.source for frame in lines(root)["speed-slow-1"].frames] == [0, 0, 1, 1, 3, 3]


def test_make_is_still_a_verb_of_its_own(run: Run) -> None:
    told = run("diagnose", "make", "--help")
    assert "data sets" in told.out
    assert "--mask" in run("diagnose", "clip", "--help").out
