from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import UsageError
from kiridashi.poc.site import read_site
from kiridashi.poc.trial.source import open_source

SITE = """
title: Plates
use_cases:
  - name: plates
    data: {{folder: plates, people: false}}
    classes: {classes}
    methods: [forest]
    baseline: forest
    budget: {{shots: [1]}}
"""


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two dents, one scratch, and two good plates."""
    for part in ("images", "masks"):
        (tmp_path / "plates" / part).mkdir(parents=True)
    for name, value in {"a": 1, "b": 1, "c": 2, "d": 0, "e": 0}.items():
        mask = np.zeros((8, 8), np.uint8)
        mask[2:4, 2:4] = value
        Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(tmp_path / "plates" / "images" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "plates" / "masks" / f"{name}.png")
    (tmp_path / "plates" / "meta.json").write_text('{"classes": {"1": "dent", "2": "scratch"}}')
    return tmp_path


def site(folder: Path, classes: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.format(classes=classes))
    return path


def test_a_class_of_one_picture_is_no_good_part(plates: Path) -> None:
    file = read_site(site(plates, "each"))
    source = open_source(file, file.site.use_cases[0])
    assert dict(source.classes) == {"dent": ("a", "b")}
    assert source.free == ("d", "e")
    assert source.without("dent") == ("d", "e")


def test_merged_counts_it_too(plates: Path) -> None:
    file = read_site(site(plates, "merged"))
    source = open_source(file, file.site.use_cases[0])
    assert list(source.classes.values()) == [("a", "b", "c")]
    assert source.free == ("d", "e")


def test_a_class_of_one_picture_cannot_be_asked_for(plates: Path) -> None:
    file = read_site(site(plates, "[scratch]"))
    with pytest.raises(UsageError, match="no class named scratch with two or more pictures; it has dent"):
        open_source(file, file.site.use_cases[0])
