from pathlib import Path

import pytest
from tests.evaluate.pictures.discs import ByColour, Discs

from kiridashi.core.errors import InputError
from kiridashi.evaluate.pictures import Plan, measure
from kiridashi.evaluate.pictures.tables import tags_markdown
from kiridashi.evaluate.pictures.tags import by_tags, read_tags


def table(folder: Path, text: str) -> Path:
    path = folder / "tags.csv"
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_reads_what_spreadsheets_write(tmp_path: Path, separator: str) -> None:
    lines = ["\ufeffpicture,light,angle", "red1.jpg,bright,", 'C:\\site\\red2.png,"dark",30', ""]
    tags = read_tags(table(tmp_path, "\r\n".join(lines).replace(",", separator)))
    assert tags["red1"] == {"light": "bright"}
    assert tags["red2"] == {"light": "dark", "angle": "30"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("picture\nred1", "1 to 20 conditions"),
        ("light,angle\na,b", "column `picture`"),
        ("picture," + ",".join(f"c{n}" for n in range(30)) + "\nred1" + ",a" * 30, "1 to 20 conditions"),
        ("picture,gain\n" + "\n".join(f"p{n},{n}" for n in range(60)), "60 different values"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_tags(table(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="UTF-8"):
        read_tags(tmp_path / "tags.csv")


def test_figures_by_condition(tmp_path: Path) -> None:
    # The method is made to miss the upper rows, where the discs of low numbers are.
    plan = Plan(Discs(), {"half": lambda seed: ByColour(seed, shrink=14)}, shots=(1,), seeds=(0,))
    lines = list(measure(plan))
    rows = [f"red{n},{'high' if n < 4 else 'low'},day" for n in range(8)] + ["bare0,,night"]
    tags = read_tags(table(tmp_path, "picture,place,time\n" + "\n".join(rows)))
    found = {(row.condition, row.value): row for row in by_tags(lines, ["half"], tags)}
    assert set(found) == {("place", "high"), ("place", "low"), ("time", "day"), ("time", "night")}
    assert found["place", "high"].figures["iou"].mean < found["place", "low"].figures["iou"].mean
    assert "iou" not in found["time", "night"].figures
    assert found["time", "night"].figures["quiet"].mean == 1
    assert "| place " in tags_markdown(list(found.values()))
