import json
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import kiridashi.models.everything  # noqa: F401  # its annotations need the real class
from kiridashi.core.mask import Mask
from kiridashi.data.pictures import read_picture
from kiridashi.models.grid import GridSettings, segment_everything
from kiridashi.models.promptable import PromptableModel

Run = Callable[..., SimpleNamespace]

# Thresholds that some masks of random weights pass.
loose = partial(GridSettings, predicted_iou=0.3, stability=0.3)


@pytest.fixture(autouse=True)
def loose_grid(random_model: PromptableModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiridashi.models.grid.GridSettings", loose)


def test_writes_annotations_and_overlays(site: Any, run: Run, random_model: PromptableModel) -> None:
    out = site.root / "all"
    told = run("everything", str(site.photos), "--out", str(out), "--grid", "6")
    assert told.code == 0, told.err
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["none.jpg", "one.jpg", "two.jpg"]
    document = json.loads((out / "annotations.json").read_text())
    two = next(image["id"] for image in document["images"] if image["file_name"].endswith("two.png"))
    masks = [
        Mask.from_rle(each["segmentation"]) for each in document["annotations"] if each["image_id"] == two
    ]
    features = random_model.encode(read_picture(site.photos / "two.png"))
    expected = segment_everything(random_model, features, loose(points_per_side=6))
    assert masks
    assert masks == [segment.mask for segment in expected]


def test_several_pictures_at_once_give_the_same(site: Any, run: Run) -> None:
    before = torch.get_num_threads()
    documents = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = site.root / f"all{threads}"
            assert run("everything", str(site.photos), "--out", str(out), "--grid", "6").code == 0
            documents.append(json.loads((out / "annotations.json").read_text()))
    finally:
        torch.set_num_threads(before)
    assert documents[0]["annotations"]
    assert documents[0]["annotations"] == documents[1]["annotations"]


def test_a_bad_target_is_named(site: Any, run: Run) -> None:
    (site.photos / "empty.jpg").write_bytes(b"")
    told = run("everything", str(site.photos), "--out", str(site.root / "all"), "--grid", "2", "--json")
    assert told.code == 3
    summary = json.loads(told.out)
    assert [each["error"] for each in summary["failed"]] == ["the file is empty"]


@pytest.mark.usefixtures("untrained_model")
def test_an_untrained_decoder_is_wrong_use(site: Any, run: Run) -> None:
    told = run("everything", str(site.photos), "--out", str(site.root / "all"))
    assert told.code == 2
    assert "everything needs a trained mask decoder, which tiny-compact does not have" in told.err
    assert not (site.root / "all" / "annotations.json").exists()


def test_resume_and_settings(site: Any, run: Run) -> None:
    words = ["everything", str(site.photos), "--out", str(site.root / "all"), "--json"]
    assert run(*words).code == 0
    assert run(*words).code == 2
    assert json.loads(run(*words, "--resume").out)["skipped"] == 3
    told = run(*words, "--resume", "--grid", "8")
    assert told.code == 2
    assert "grid was 16, now 8" in told.err
    assert run(*words, "--grid", "0").code == 2
