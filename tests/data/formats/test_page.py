"""What docs/data-formats.md says, done."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.data.formats.made import in_memory, write_png

from kiridashi.cli import main
from kiridashi.core.mask import Mask
from kiridashi.data.formats import FORMATS, AnnotatedPicture, Annotation, Box, Polygons, read_set, write_set
from kiridashi.data.formats.tags import read_tags

PAGE = Path(__file__).resolve().parents[3] / "docs" / "data-formats.md"


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def table() -> dict[str, dict[str, str]]:
    """The cells of "What each keeps", by row and format."""
    lines = PAGE.read_text(encoding="utf-8").split("## What each keeps")[1].split("\n## ")[0].splitlines()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "plate0.png {'light': 'dim'} [120]"
    # The pictures lie beside the files, as LabelMe keeps them.
    for picture in tmp_path.glob("*.png"):
        shutil.copyfile(picture, tmp_path / "labels" / picture.name)
    (commands,) = blocks("sh")
    for line in commands.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    assert [one.split for one in read_set("divided")].count("train") == 4
    assert (tmp_path / "checked" / "report.html").is_file()


def test_the_table_of_tags_is_one(tmp_path: Path) -> None:
    (text,) = blocks("text")
    (tmp_path / "tags.csv").write_text(text)
    assert read_tags(tmp_path / "tags.csv")["plate1"] == {"light": "bright", "shift": "day"}


@pytest.mark.parametrize("name", FORMATS)
def test_the_table_tells_what_each_format_keeps(name: str, tmp_path: Path) -> None:
    size = (20, 24)
    full = np.zeros((3, *size), bool)
    full[0, 2:9, 2:9] = full[1, 12:16, 3:9] = full[2, 0] = True
    triangle = Polygons((np.array([[12.5, 5.0], [20.0, 5.0], [12.5, 12.25]]),))
    two = Polygons((triangle.parts[0], triangle.parts[0] + [3.0, 6.0]))
    first = 0 if name == "yolo" else 1
    marks = (
        Annotation(first, Mask.from_array(full[0]), 41, 0.5, True, attributes={"deep": True, "mm": 2}),
        Annotation(first, Mask.from_array(full[1]), 42),
        Annotation(first + 1, two, 43),
        Annotation(first + 1, Box(20, 14, 24, 19), 44),
    )
    path = write_png(tmp_path / "day" / "a.png", size)
    picture = AnnotatedPicture(
        "day/a.png", size, marks, path, 77, "extra", {"light": "dim"}, Mask.from_array(full[2])
    )
    write_set(in_memory([picture], {first: "x", first + 1: "y", first + 2: "z"}), tmp_path / "out", name)
    annotated = read_set(tmp_path / "out")
    (back,) = annotated
    found = list(back.annotations)
    attributes = dict(found[0].attributes)
    says = {row: cells[name] for row, cells in table().items()}
    assert (says["ids of pictures"] in ("yes", "whole numbers")) == (back.id == 77)
    assert (says["ids of objects"] == "yes") == (found[0].id == 41)
    assert (says["scores"] == "yes") == (found[0].score == 0.5)
    assert (says["crowd marks"] == "yes") == found[0].crowd
    assert (says["attributes of objects"] == "no") == (attributes == {})
    assert (says["attributes of objects"] == "as text") == (attributes == {"deep": True, "mm": "2"})
    assert dict(back.tags) == {"light": "dim"}
    assert (tmp_path / "out" / "tags.csv").is_file() == (says["tags of pictures"] == "tags.csv")
    assert (says["splits"] == "yes") == (back.split == "extra")
    assert (says["pixels that count neither way"] == "255") == (back.ignore is not None)
    assert back.name == ("day/a.png" if says["folders in names"] == "yes" else "day_a.png")
    assert (says["objects of one class apart"] == "yes") == (sum(one.label == first for one in found) == 2)
    assert (says["boxes without a mask"] == "yes") == any(isinstance(one.shape, Box) for one in found)
    assert (says["bitmaps (IoU 1)"] == "as outlines") == isinstance(found[0].shape, Polygons)
    several = next(one.shape for one in found if one.label == first + 1 and not isinstance(one.shape, Box))
    kept = isinstance(several, Polygons) and len(several.parts) == 2
    assert kept == (says["outlines"] == "yes")
    assert annotated.classes[first + 2] == "z"
    assert back.label_mask(first) == picture.label_mask(first)
