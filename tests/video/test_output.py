import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.data.lines import read_jsonl
from kiridashi.video.output import Format, TrackFolder, label_map, overlay
from kiridashi.video.tracker import State, Tracked, TrackedFrame, Why

SIZE = (12, 16)
SETTINGS = {"command": "track"}


def block(x: int, width: int = 5) -> Mask:
    full = np.zeros(SIZE, bool)
    full[3:9, x : x + width] = True
    return Mask.from_array(full)


def frame(index: int, first: float = 0.9, second: float = 0.8) -> TrackedFrame:
    objects = {1: Tracked(State.FOUND, first, block(2)), 7: Tracked(State.FOUND, second, block(5))}
    return TrackedFrame(index, SIZE, objects)


def picture() -> Picture:
    return Picture(np.full((*SIZE, 3), 90, np.uint8))


def test_a_label_map_has_ids_and_the_surer_object_wins() -> None:
    labels = label_map(frame(0, 0.9, 0.8))
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 7}
    assert (labels[4, 2:10] == [1, 1, 1, 1, 1, 7, 7, 7]).all()
    assert (label_map(frame(0, 0.8, 0.9))[4, 2:10] == [1, 1, 1, 7, 7, 7, 7, 7]).all()
    assert (label_map(frame(0, 0.8, 0.8))[4, 2:10] == [1, 1, 1, 1, 1, 7, 7, 7]).all()


def test_an_overlay_shows_what_is_found_and_an_unreadable_frame_is_black() -> None:
    drawn = overlay(frame(0), picture())
    assert (drawn[0, 0] == 90).all()
    assert (drawn[5, 4] != 90).any()
    lost = TrackedFrame(0, SIZE, {1: Tracked(State.LOST, 0.1, Mask.empty(SIZE), Why.SCORE)})
    assert (overlay(lost, picture()) == 90).all()
    assert not overlay(lost, None).any()


def test_files_of_a_run(tmp_path: Path) -> None:
    folder = TrackFolder.open(tmp_path / "out", SETTINGS, overlays=True)
    folder.write(frame(0), picture(), "a.png")
    skipped = TrackedFrame(1, SIZE, {1: Tracked(State.LOST, 0.0, Mask.empty(SIZE), Why.UNREADABLE)})
    folder.write(skipped, None, "b.png", "damaged")
    folder.finish({})
    out = tmp_path / "out"
    assert np.array_equal(np.asarray(Image.open(out / "masks" / "00000.png")), label_map(frame(0)))
    assert not np.asarray(Image.open(out / "masks" / "00001.png")).any()
    assert {path.name for path in (out / "overlays").iterdir()} == {"00000.jpg", "00001.jpg"}
    assert Image.open(out / "strip.jpg").size[0] > 0
    assert len((out / "tracks.csv").read_text().splitlines()) == 4
    assert folder.facts() == {
        "frames": 2,
        "unreadable": 1,
        "interjections": 0,
        "found": {"1": 1, "7": 1},
        "complaints": [(1, "b.png", "damaged")],
    }


def test_run_lengths_keep_overlaps(tmp_path: Path) -> None:
    folder = TrackFolder.open(tmp_path, SETTINGS, mask_format=Format.RLE)
    folder.write(frame(0), picture(), "a.png")
    folder.finish({})
    lines = read_jsonl(tmp_path / "masks.jsonl")
    assert [(line["frame"], line["object"], line["state"]) for line in lines] == [
        (0, 1, "found"),
        (0, 7, "found"),
    ]
    assert Mask.from_rle(lines[0]["segmentation"]) == block(2)
    assert Mask.from_rle(lines[1]["segmentation"]) == block(5)
    assert not (tmp_path / "masks").exists()


def test_what_a_killed_run_wrote_after_its_checkpoint_is_cut_off(tmp_path: Path) -> None:
    folder = TrackFolder.open(tmp_path, SETTINGS)
    folder.write(frame(0), picture(), "a.png")
    folder.checkpoint({})
    before = (tmp_path / "tracks.csv").read_bytes()
    folder.write(frame(1), picture(), "b.png")
    with (tmp_path / "tracks.csv").open("a") as stream:
        stream.write("2,1,fou")
    again = TrackFolder.open(tmp_path, SETTINGS, resume=True)
    assert again.progress.frames == 1
    assert (tmp_path / "tracks.csv").read_bytes() == before


def test_results_are_not_overwritten_unasked(tmp_path: Path) -> None:
    folder = TrackFolder.open(tmp_path, SETTINGS)
    folder.write(frame(0), picture(), "a.png")
    folder.finish({})
    (tmp_path / "masks" / "notes.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="already holds results"):
        TrackFolder.open(tmp_path, SETTINGS)
    with pytest.raises(UsageError, match=r"other settings.*threshold"):
        TrackFolder.open(tmp_path, SETTINGS | {"threshold": 0.2}, resume=True)
    with pytest.raises(UsageError, match="contradict"):
        TrackFolder.open(tmp_path, SETTINGS, resume=True, overwrite=True)
    fresh = TrackFolder.open(tmp_path, SETTINGS, overwrite=True)
    assert fresh.progress.frames == 0
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["notes.png"]


def test_a_run_before_its_first_checkpoint_starts_anew(tmp_path: Path) -> None:
    folder = TrackFolder.open(tmp_path, SETTINGS)
    folder.write(frame(0), picture(), "a.png")
    again = TrackFolder.open(tmp_path, SETTINGS, resume=True)
    assert again.progress.frames == 0
    assert len((tmp_path / "tracks.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize("damage", ["checkpoint", "facts", "table"])
def test_a_damaged_run_is_refused(tmp_path: Path, damage: str) -> None:
    folder = TrackFolder.open(tmp_path, SETTINGS)
    folder.write(frame(0), picture(), "a.png")
    folder.checkpoint({})
    if damage == "checkpoint":
        (tmp_path / "checkpoint.safetensors").write_bytes(b"x" * 30)
    elif damage == "facts":
        content = (tmp_path / "checkpoint.safetensors").read_bytes()
        (tmp_path / "checkpoint.safetensors").write_bytes(content.replace(b"frames", b"frumes"))
    else:
        (tmp_path / "tracks.csv").write_text("")
    with pytest.raises((InputError, UsageError), match=r"damaged|not as the run left it"):
        TrackFolder.open(tmp_path, SETTINGS, resume=True)


def test_out_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="this is a file"):
        TrackFolder.open(tmp_path / "file", SETTINGS)


def test_the_settings_are_kept(tmp_path: Path) -> None:
    TrackFolder.open(tmp_path, SETTINGS)
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["command"] == "track"


def test_masks_that_no_run_wrote_are_left_alone(tmp_path: Path) -> None:
    """The folder of a clip has its true masks under the very names that a run would write."""
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "00000.png").write_bytes(b"truth")
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with pytest.raises(UsageError, match=r"no run\.json.*another --out"):
            TrackFolder.open(tmp_path, SETTINGS, resume=resume, overwrite=overwrite)
    assert (tmp_path / "masks" / "00000.png").read_bytes() == b"truth"
