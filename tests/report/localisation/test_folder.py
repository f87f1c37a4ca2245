from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import Target, find_targets
from kiridashi.report.localisation import ChoiceNote, LocalisationFolder, Outcome, Stages

SIZE = (24, 36)
NUMBERS = {"crack": 1, "stain": 2}
RAMP = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
Begin = Callable[..., LocalisationFolder]


def mask() -> Mask:
    full = np.zeros(SIZE, dtype=bool)
    full[4:12, 6:20] = True
    return Mask.from_array(full)


def stages(found: bool) -> Stages:
    notes = (ChoiceNote("crack", 0.9, "gallery", "best match", "because", 0.8, 0.28),) if found else ()
    outcome = Outcome(notes, {"crack": 0.9 if found else 0.2}, 1 if found else None, 0.28)
    masks = (mask(),) if found else ()
    return Stages(RAMP, RAMP, masks, masks, outcome)


def segments(found: bool) -> Segments:
    items = (Segment(mask(), 0.9, "crack"),) if found else ()
    return Segments(SIZE, items, Verdict(found, 0.9 if found else 0.2, 0.5))


@pytest.fixture
def targets(tmp_path: Path) -> list[Target]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("bad.png", "good.png"):
        Image.fromarray(np.full((*SIZE, 3), 90, dtype=np.uint8)).save(folder / name)
    return find_targets([folder])


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    def made(**more: Any) -> LocalisationFolder:
        return LocalisationFolder.begin(tmp_path / "out", {"command": "test"}, NUMBERS, **more)

    return made


def commit(folder: LocalisationFolder, target: Target, found: bool) -> None:
    picture = read_picture(target.path)
    folder.hold(picture, stages(found))
    folder.commit(target, picture, segments(found), 0.1)


def test_writes_map_stages_and_outcome(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    for target in targets:
        commit(folder, target, target.stem == "bad")
    grey = np.asarray(Image.open(folder.map_path("bad")))
    assert grey.shape == SIZE
    assert grey.dtype == np.uint8
    assert (grey[0, 0], grey[-1, -1]) == (0, 255)
    assert Image.open(folder.stages_path("bad")).size[0] > 3 * SIZE[1]
    assert [folder.records[stem].details["outcome"] for stem in ("bad", "good")] == ["found", "nothing found"]
    assert folder.records["good"].verdict == "absent"
    assert not np.asarray(Image.open(folder.mask_path("good"))).any()


def test_resumes_what_is_whole(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    for target in targets:
        commit(folder, target, True)
    folder.map_path("good").unlink()
    again = begin(resume=True)
    assert [target.stem for target in again.pending(targets)] == ["good"]
    assert again.records["bad"].details == folder.records["bad"].details


def test_maps_and_stages_are_results_too(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    commit(folder, targets[0], True)
    with pytest.raises(UsageError, match="already holds results"):
        begin()
    begin(overwrite=True)
    assert not folder.map_path("bad").exists()
    assert not folder.stages_path("bad").exists()
    assert not folder.mask_path("bad").exists()


def test_a_failure_takes_the_files_away(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    commit(folder, targets[0], True)
    record = folder.fail(targets[0], "cut short", 0.1)
    assert record.details == {}
    assert not folder.map_path("bad").exists()


def test_stages_are_those_of_the_picture(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    commit(folder, targets[0], True)
    with pytest.raises(UsageError, match="hold them first"):
        folder.commit(targets[1], Picture(np.zeros((*SIZE, 3), np.uint8)), segments(True), 0.1)


def test_left_over_files_are_swept(begin: Begin, targets: list[Target]) -> None:
    folder = begin()
    commit(folder, targets[0], True)
    left = folder.map_path("bad").with_name(".0123456789abcdef.png")
    left.touch()
    begin(resume=True)
    assert not left.exists()
