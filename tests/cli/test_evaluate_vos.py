import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kiridashi.cli.evaluate_vos_methods import _painted
from kiridashi.core.mask import Mask
from kiridashi.evaluate.metrics.j_and_f import score_frame
from kiridashi.evaluate.vos.sets import Labels
from kiridashi.models.promptable import PromptableModel
from kiridashi.video.tracker import State, Tracked, TrackedFrame

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two clips of a square that moves."""
    for number, name in enumerate(("run", "walk")):
        for index in range(5):
            mask = np.zeros((48, 64), dtype=np.uint8)
            left = 4 + index * (2 - number)
            mask[10:30, left : left + 20] = 1
            for part, values in (("frames", np.repeat(mask[..., None] * 200, 3, axis=2)), ("masks", mask)):
                folder = tmp_path / "clips" / name / part
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(folder / f"{index:05d}.png")
    return tmp_path / "clips"


@pytest.fixture
def words(clips: Path, tmp_path: Path) -> list[str]:
    return ["evaluate", "vos", str(clips), "--out", str(tmp_path / "out"), "--threads", "2"]


def test_the_table_and_its_files(
    words: list[str], run: Run, tmp_path: Path, random_model: PromptableModel
) -> None:
    told = run(*words, "--methods", "track,track-no-gate,session,still,flow")
    out = tmp_path / "out"
    assert (told.code, told.err) == (0, "")
    assert (out / "table.md").read_text() in told.out
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert [row["method"] for row in rows] == ["track", "track-no-gate", "session", "still", "flow"]
    assert all(row["clips"] == "2" for row in rows)
    assert [bool(row["lead"]) for row in rows] == [False] + [True] * 4
    assert len((out / "objects.csv").read_text().splitlines()) == 11


def test_baselines_need_no_model(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: 1 / 0)
    assert run(*words, "--methods", "still", "--quiet").code == 0


def test_masks_of_another_program(words: list[str], run: Run, clips: Path) -> None:
    told = run(*words, "--methods", "still", "--results", f"truth={clips}", "--json")
    rows = {row["method"]: row for row in json.loads(told.out)["rows"]}
    assert rows["truth"]["j_and_f"]["mean"] == 1.0
    assert rows["truth"]["lead"]["mean"] > 0.1
    alone = run(*words, "--methods", "", "--results", f"truth={clips}", "--resume", "--json")
    assert (alone.code, json.loads(alone.out)["skipped"]) == (0, 2)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--methods", "stil"], "Did you mean still?"),
        (["--results", "mine"], "expected NAME=DIR"),
        (["--methods", "still", "--results", "flow=."], "flow is the name of a method"),
        (["--methods", "still", "--split", "val"], "no split 'val'"),
        (["--methods", ""], "--methods"),
    ],
)
def test_wrong_use(words: list[str], run: Run, more: list[str], says: str) -> None:
    told = run(*words, *more)
    assert told.code == 2
    assert says in told.err


def test_resume_does_what_is_missing(words: list[str], run: Run) -> None:
    assert run(*words, "--methods", "still", "--quiet").code == 0
    assert run(*words, "--methods", "still").code == 2
    told = json.loads(run(*words, "--methods", "still,flow", "--resume", "--json").out)
    assert (told["followed"], told["skipped"], told["exit_code"]) == (4, 2, 0)
    assert all(Path(path).is_file() for path in told["files"].values())


def test_ctrl_c_keeps_what_is_done(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def score(found: Labels, truth: Labels, objects: Sequence[int]) -> object:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return score_frame(found, truth, objects)

    monkeypatch.setattr("kiridashi.evaluate.vos.run.score_frame", score)
    told = run(*words, "--methods", "still", "--threads", "1")
    assert told.code == 130
    assert "1 of 2" in told.err
    assert json.loads(run(*words, "--methods", "still", "--resume", "--json").out)["skipped"] == 1


def test_what_fails_is_named(words: list[str], run: Run, clips: Path) -> None:
    (clips / "walk" / "frames" / "00002.png").write_bytes(b"no picture")
    told = run(*words, "--methods", "still")
    assert told.code == 3
    assert "clips, walk, still" in told.err
    (clips / "run" / "frames" / "00002.png").write_bytes(b"no picture")
    assert "no clip has a result" in run(*words, "--methods", "still", "--overwrite").out


def test_a_model_without_a_memory_is_refused(
    words: list[str], run: Run, untrained_model: PromptableModel
) -> None:
    told = run(*words)
    assert told.code == 2
    assert "following an object needs a trained mask decoder" in told.err


def test_the_surer_object_has_a_pixel_that_two_claim() -> None:
    size = (4, 6)
    whole, left = np.ones(size, dtype=bool), np.zeros(size, dtype=bool)
    left[:, :3] = True
    objects = {
        1: Tracked(State.FOUND, 0.9, Mask.from_array(left)),
        2: Tracked(State.FOUND, 0.6, Mask.from_array(whole)),
        3: Tracked(State.LOST, 0.1, Mask.empty(size)),
    }
    labels = _painted(TrackedFrame(0, size, objects))
    assert labels.tolist() == [[1, 1, 1, 2, 2, 2]] * 4
