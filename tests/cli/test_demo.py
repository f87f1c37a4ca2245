import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kiridashi.cli.demo_job import match
from kiridashi.core.mask import Mask

Run = Callable[..., SimpleNamespace]


def bar(start: int, stop: int) -> Mask:
    full = np.zeros((4, 40), dtype=bool)
    full[:, start:stop] = True
    return Mask.from_array(full)


def test_each_true_mask_is_matched_once_with_its_best() -> None:
    truth = [bar(0, 10), bar(20, 30)]
    found = [bar(0, 8), bar(1, 10), bar(20, 30), bar(35, 40)]
    assert sorted(match(truth, found)) == [(0, pytest.approx(0.9)), (1, 1.0)]
    assert match(truth, []) == []
    assert match(truth, [bar(8, 22)]) == []


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demonstration says, with the real model and method."""
    from contextlib import redirect_stdout
    from io import StringIO

    from kiridashi.cli import main

    stream = StringIO()
    with redirect_stdout(stream):
        assert main(["demo", "--out", str(tmp_path_factory.mktemp("demo")), "--json"]) == 0
    return dict(json.loads(stream.getvalue()))


def test_finds_every_coin(told: dict[str, Any]) -> None:
    assert told["coins_in_photograph"] == 24
    assert told["coins_in_reference"] + told["coins_to_find"] == 24
    assert told["found"] == told["right"] == told["coins_to_find"]
    assert told["mean_iou"] > 0.85


def test_runs_again_into_the_same_folder(run: Run, stand_in: Any, tmp_path: Any) -> None:
    for _ in range(2):
        again = run("demo", "--out", str(tmp_path / "demo"), "--language", "ja")
        assert again.code == 0, again.err
    assert "24 coins in the photograph" in again.out
    assert (tmp_path / "demo" / "coins.jpg").is_file()
    assert 'lang="ja"' in (tmp_path / "demo" / "results" / "report.html").read_text()
