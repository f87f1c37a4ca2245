from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import bridge_cost
from kiridashi.models.promptable import PromptableModel


def test_the_coin_is_bright_on_a_dark_tray() -> None:
    reference = bridge_cost.coin()
    inside = reference.mask.to_array()
    assert reference.picture.pixels[inside].mean() > 1.5 * reference.picture.pixels[~inside].mean()


def test_each_round_begins_with_an_empty_cache_and_pays_twice(
    tiny_compact: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[tuple[str, bool]] = []

    def worker(name: str, cache: Path) -> Callable[[], Any]:
        def work() -> None:
            met.append((name, (cache / name).exists()))
            (cache / name).touch()

        return work

    monkeypatch.setattr(bridge_cost, "open_model", lambda _options: tiny_compact)
    monkeypatch.setattr(bridge_cost, "tuning", lambda _model, cache: worker("neck", cache))
    monkeypatch.setattr(bridge_cost, "transition", lambda cache: worker("frames", cache))
    record = bridge_cost.measure(Namespace(repeats=2), Console(quiet=True))
    assert met == [("neck", False), ("neck", True), ("frames", False), ("frames", True)] * 2
    assert [row["what"] for row in record["rows"]] == [bridge_cost.TUNING, bridge_cost.TRANSITION]
    assert bridge_cost.TUNING in record["text"]
