from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kiridashi.core.errors import InputError, UsageError
from kiridashi.evaluate.cdfss.clip_pairs import ClipPairs

WritePair = Callable[..., None]


def write_clip(folder: Path, write_pair: WritePair, frames: int, empty: tuple[int, ...] = ()) -> None:
    for index in range(frames):
        mask = folder / "masks" / f"{index:05}.png"
        write_pair(folder / "frames" / f"{index:05}.jpg", mask, x=6 + index)
        if index in empty:
            Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(mask)


def test_pairs_are_early_and_half_the_clip_apart(tmp_path: Path, write_pair: WritePair) -> None:
    write_clip(tmp_path / "set" / "cat", write_pair, 12, empty=(1, 9))
    write_clip(tmp_path / "set" / "dog", write_pair, 8)
    pairs = ClipPairs(tmp_path / "set")
    assert (pairs.name, len(pairs.classes["cat"])) == ("set", 10)
    drawn = pairs.draw(2, 60, 0)
    assert [each.label for each in drawn[:3]] == ["cat", "dog", "cat"]
    for each in drawn:
        length = 12 if each.label == "cat" else 8
        query, *supports = (int(name.split("/")[1]) for name in (each.query, *each.supports))
        assert all(frame < length / 4 and query - frame >= length / 2 for frame in supports)
        assert len(set(supports)) == len(supports) >= 1
        assert not {1, 9}.intersection([query, *supports]) or each.label == "dog"
    assert len({each.query for each in drawn}) > 5
    assert drawn[:7] == pairs.draw(2, 7, 0)
    assert drawn != pairs.draw(2, 60, 1)
    example = pairs.read(drawn[0].query, drawn[0].label)
    assert not example.mask.is_empty


def test_a_set_without_distant_frames_is_refused(tmp_path: Path, write_pair: WritePair) -> None:
    write_clip(tmp_path / "short", write_pair, 8, empty=(0, 1))
    with pytest.raises(InputError, match="half the clip later"):
        ClipPairs(tmp_path)


def test_nothing_to_draw_is_refused(tmp_path: Path, write_pair: WritePair) -> None:
    write_clip(tmp_path / "cat", write_pair, 4)
    with pytest.raises(UsageError, match="at least 1"):
        ClipPairs(tmp_path).draw(0, 1, 0)
