import json
from pathlib import Path

import pytest

from data_formats import main


def test_ours_keeps_every_mask_and_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert main(["--pictures", "2", "--repeats", "1", "--json", str(out)]) == 0
    assert "| kiridashi" in capsys.readouterr().out
    rows = {(row["tool"], row["target"]): row for row in json.loads(out.read_text())["rows"]}
    assert len(rows) == 4
    for target in ("coco", "yolo"):
        assert (rows["kiridashi", target]["iou"], rows["kiridashi", target]["objects"]) == (1.0, 1.0)
    assert rows["kiridashi", "coco"]["ids"] == 1.0
    # Peers are measured, not assumed: what they give lies between nothing and everything.
    assert all(0 < row["iou"] <= 1 for row in rows.values())
