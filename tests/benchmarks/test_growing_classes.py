import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import growing_classes
from growing_classes import main, part_of
from kiridashi.core.errors import UsageError
from kiridashi.evaluate.ifsis.instances import open_instances
from kiridashi.evaluate.ifsis.splits import Split
from kiridashi.models.promptable import PromptableModel


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Nine pictures of two discs each; three of each class."""
    folder = tmp_path / "discs"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows, columns = np.mgrid[:48, :96]
    items = []
    for index in range(9):
        label = ("cat", "dog", "cow")[index % 3]
        pixels = np.random.default_rng(index).integers(0, 60, (48, 96, 3)).astype(np.uint8)
        numbers = np.zeros((48, 96), np.uint8)
        for number, x in ((1, 24), (2, 72)):
            disc = (rows - 24) ** 2 + (columns - x) ** 2 < 14**2
            pixels[disc, index % 3] += np.uint8(180)
            numbers[disc] = number
        Image.fromarray(pixels).save(folder / "images" / f"{index}.png")
        Image.fromarray(numbers).save(folder / "masks" / f"{index}.png")
        items.append({"id": str(index), "instances": {"1": label, "2": label}})
    split = {"base": ["cat", "dog"], "novel": ["cow"]}
    (folder / "meta.json").write_text(json.dumps({"items": items, "suggested_incremental_split": split}))
    return folder


def test_a_part_has_some_of_each_class(animals: Path) -> None:
    source, split = open_instances(animals), Split(("cat", "dog"), ("cow",))
    part = part_of(source, split, 6, seed=0)
    labels = [every[0].label for every in part.instances.values()]
    assert sorted(labels) == ["cat", "cat", "cow", "cow", "dog", "dog"]
    assert part.name == "discs"
    assert part_of(source, split, 99, seed=0).instances == source.instances


def test_the_table_and_the_record(
    animals: Path,
    tmp_path: Path,
    tiny_compact: PromptableModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(growing_classes, "open_model", lambda _: tiny_compact)
    record = tmp_path / "figures.json"
    arguments = [
        "--set",
        str(animals),
        "--shots",
        "1",
        "2",
        "--seeds",
        "2",
        "--base-shots",
        "2",
        "--grid",
        "2",
    ]
    assert main([*arguments, "--json", str(record)]) == 0
    said = capsys.readouterr().out
    assert "ours as used" in said
    assert "2 shots a base class" in said
    written = json.loads(record.read_text())
    # Five methods; before, with one and with two shots among all; with one and two among the novel.
    assert len(written["rows"]) == 5 * (3 + 2)
    assert len(written["outcomes"]) == 2 * len(written["rows"])
    assert written["shot"]["encode_s"] > 0


def test_a_set_without_a_split_needs_one(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = json.loads((animals / "meta.json").read_text())
    del meta["suggested_incremental_split"]
    (animals / "meta.json").write_text(json.dumps(meta))
    options = Namespace(base=None, novel=None)
    with pytest.raises(UsageError, match="--base and --novel"):
        growing_classes.split_of(options, open_instances(animals))
    monkeypatch.setattr(growing_classes, "COCO_SPLIT", Split(("cat", "dog"), ("cow",)))
    assert growing_classes.split_of(options, open_instances(animals)).novel == ("cow",)
    options = Namespace(base=["cat"], novel=["dog"])
    assert growing_classes.split_of(options, open_instances(animals)) == Split(("cat",), ("dog",))
