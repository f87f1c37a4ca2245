import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.evaluate.cdfss.tasks import open_tasks, resized
from kiridashi.evaluate.episodes import Example

WritePair = Callable[..., None]


@pytest.fixture
def benchmark(tmp_path: Path, write_pair: WritePair) -> Path:
    root = tmp_path / "CDFSL"
    for name in ("a", "b", "c"):
        write_pair(
            root / "Deepglobe/1/test/origin" / f"{name}.jpg",
            root / f"Deepglobe/1/test/groundtruth/{name}.png",
        )
        write_pair(root / "FSS-1000/bus" / f"{name}.jpg", root / "FSS-1000/bus" / f"{name}.png")
        write_pair(
            root / "LungSegmentation/CXR_png" / f"{name}.png",
            root / f"LungSegmentation/masks/{name}_mask.png",
        )
    return root


def test_the_benchmark_keeps_its_rules_and_size(benchmark: Path) -> None:
    tasks = {task.name: task for task in open_tasks([benchmark])}
    assert {name: (task.rule, task.side) for name, task in tasks.items()} == {
        "Deepglobe": ("patnet", 400),
        "FSS-1000": ("each once", 400),
        "LungSegmentation": ("patnet", 400),
    }
    assert [len(tasks[name].draw(1, None, 0)) for name in ("Deepglobe", "FSS-1000")] == [600, 3]
    episode = tasks["FSS-1000"].draw(1, None, 0)[0]
    example = tasks["FSS-1000"].read(episode.query, episode.label)
    assert example.picture.size == example.mask.size == example.ignore.size == (400, 400)
    assert example.mask.coverage == pytest.approx(81 / 600, abs=0.01)


def test_rule_and_size_may_be_chosen(benchmark: Path, few_shot: Path) -> None:
    tasks = open_tasks([benchmark / "Deepglobe", few_shot], rule="distinct", side=0)
    assert [(task.name, task.rule, task.side) for task in tasks] == [
        ("Deepglobe", "distinct", None),
        ("discs", "distinct", None),
    ]
    (plain,) = open_tasks([few_shot])
    assert (plain.rule, plain.side) == ("distinct", None)
    (small,) = open_tasks([few_shot], rule="patnet", side=16)
    assert small.read("p1", "object").mask.size == (16, 16)
    assert any(len(set(each.supports)) < 3 for each in small.draw(3, 20, 0))


def test_masks_are_resized_as_pytorch_does() -> None:
    rng = np.random.default_rng(0)
    inside = rng.random((37, 53)) > 0.5
    picture = Picture(rng.integers(0, 256, (37, 53, 3)).astype(np.uint8))
    example = resized(Example(picture, Mask.from_array(inside), Mask.empty((37, 53))), 20)
    expected = F.interpolate(torch.from_numpy(inside)[None, None].float(), (20, 20), mode="nearest")
    assert np.array_equal(example.mask.to_array(), expected[0, 0].numpy() > 0)
    assert example.picture.size == (20, 20)


def test_a_changed_file_changes_the_fingerprint(few_shot: Path) -> None:
    (before,), (again,) = open_tasks([few_shot]), open_tasks([few_shot])
    assert before.fingerprint == again.fingerprint
    os.utime(few_shot / "masks" / "p0.png", ns=(1, 1))
    (after,) = open_tasks([few_shot])
    assert after.fingerprint != before.fingerprint


def test_what_cannot_be_opened_is_said(tmp_path: Path, few_shot: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        open_tasks([tmp_path / "nowhere"])
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="expected images/ and masks/"):
        open_tasks([tmp_path / "bare"])
    with pytest.raises(UsageError, match="two sets are named 'discs'"):
        open_tasks([few_shot, few_shot])
    with pytest.raises(UsageError, match="no rule named"):
        open_tasks([few_shot], rule="fair")
    with pytest.raises(UsageError, match="no data"):
        open_tasks([])
