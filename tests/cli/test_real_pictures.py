"""`segment` from the command line on real pictures: objects and surfaces with the same settings."""

import json
from pathlib import Path

import numpy as np
import pytest

from kiridashi.cli import main
from kiridashi.core.mask import Mask
from kiridashi.data import read_label_map, read_mask

pytestmark = pytest.mark.data


def patches(folder: Path, label: int, count: int) -> list[str]:
    """Pictures of one class alone that it covers visibly."""
    meta = json.loads((folder / "meta.json").read_text())
    names = [item["id"] for item in meta["items"] if item["classes"] == [label]]
    cover = [(read_label_map(folder / "masks" / f"{name}.png") == label).mean() for name in names]
    return [name for name, share in zip(names, cover, strict=True) if share > 0.03][:count]


def segmented(folder: Path, names: list[str], shots: int, out: Path, threshold_free: bool) -> float:
    """Mean IoU of the written masks when the first pictures are the references and the others targets."""
    command = ["segment", "--out", str(out), "--quiet"]
    for name in names[:shots]:
        command += ["--reference", str(folder / "images" / f"{name}.jpg")]
        command += ["--mask", str(folder / "masks" / f"{name}.png")]
    if threshold_free:
        command.append("--everything-off")
    targets = names[shots:]
    assert main([*command, *(str(folder / "images" / f"{name}.jpg") for name in targets)]) == 0
    found = [read_mask(out / "masks" / f"{name}.png") for name in targets]
    truth = [Mask.from_array(read_label_map(folder / "masks" / f"{name}.png") > 0) for name in targets]
    return float(np.mean([ours.iou(theirs) for ours, theirs in zip(found, truth, strict=True)]))


def test_objects(shared_data: Path, tmp_path: Path) -> None:
    names = [f"apple_{number}" for number in (1, 2, 4, 5, 7)]
    assert segmented(shared_data / "fss1000_sample", names, 1, tmp_path / "found", False) > 0.6
    document = json.loads((tmp_path / "found" / "annotations.json").read_text())
    assert len(document["images"]) == 4
    assert len(document["annotations"]) >= 4


@pytest.mark.parametrize("plain", [False, True])
def test_surfaces(shared_data: Path, tmp_path: Path, plain: bool) -> None:
    folder = shared_data / "neu_seg"
    assert segmented(folder, patches(folder, label=2, count=7), 3, tmp_path / "found", plain) > 0.5
