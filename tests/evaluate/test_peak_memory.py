from pathlib import Path

import numpy as np
import pytest

from kiridashi.evaluate import peak_memory
from kiridashi.evaluate.peak_memory import peak_mib, reset_peak


def test_the_peak_is_of_what_came_since_the_reset() -> None:
    if not reset_peak():
        pytest.skip("this system keeps one peak a process")
    before = peak_mib()
    held = np.ones(64 * 2**20, dtype=np.uint8)
    during = peak_mib()
    del held
    reset_peak()
    after = peak_mib()
    assert before is not None
    assert during is not None
    assert after is not None
    assert during - before > 50
    assert during - after > 50


def test_other_systems_have_one_peak_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "nowhere")
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "no" / "folder")
    assert not reset_peak()
    assert (peak_mib() or 0) > 1
