import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kiridashi.core.mask import Mask

Run = Callable[..., SimpleNamespace]
pytestmark = pytest.mark.usefixtures("stand_in")


def test_writes_annotations_and_overlays(site: Any, run: Run) -> None:
    out = site.root / "all"
    told = run("everything", str(site.photos), "--out", str(out))
    assert told.code == 0, told.err
    assert "interim: regions of even colour; the decoder of compact is not trained yet" in told.out
    assert sorted(path.name for path in (out / "overlays").iterdir()) == ["none.jpg", "one.jpg", "two.jpg"]
    document = json.loads((out / "annotations.json").read_text())
    two = next(image["id"] for image in document["images"] if image["file_name"].endswith("two.png"))
    masks = [
        Mask.from_rle(each["segmentation"]) for each in document["annotations"] if each["image_id"] == two
    ]
    assert any(mask.box == (10, 10, 31, 31) for mask in masks)
    assert any(mask.box == (49, 29, 72, 52) for mask in masks)


def test_a_bad_target_is_named(site: Any, run: Run) -> None:
    (site.photos / "empty.jpg").write_bytes(b"")
    told = run("everything", str(site.photos), "--out", str(site.root / "all"), "--json")
    assert told.code == 3
    summary = json.loads(told.out)
    assert [each["error"] for each in summary["failed"]] == ["the file is empty"]


def test_resume_and_settings(site: Any, run: Run) -> None:
    words = ["everything", str(site.photos), "--out", str(site.root / "all"), "--json"]
    assert run(*words).code == 0
    assert run(*words).code == 2
    assert json.loads(run(*words, "--resume").out)["skipped"] == 3
    told = run(*words, "--resume", "--grid", "8")
    assert told.code == 2
    assert "grid was 16, now 8" in told.err
    assert run(*words, "--grid", "0").code == 2
