from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adapting import draws, summarise, table
from kiridashi.evaluate.episodes import FewShotSet


@pytest.fixture
def source(tmp_path: Path) -> FewShotSet:
    """Six pictures, each with both of two classes."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    labels = np.zeros((8, 8), np.uint8)
    labels[:2], labels[6:] = 1, 2
    for number in range(6):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(labels).save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "meta.json").write_text('{"classes": {"1": "a", "2": "b"}}')
    return FewShotSet(tmp_path)


def test_no_shot_of_any_class_is_asked_for(source: FewShotSet) -> None:
    """A delta is tuned on the shots of all classes: a query must be among none of them."""
    for seed in range(5):
        drawn = draws(source, 2, seed)
        shown = {name for draw in drawn for name in draw.supports}
        assert drawn
        for draw in drawn:
            assert len(draw.supports) == 2
            assert not shown & set(draw.queries)
            assert {*shown, *draw.queries} == {str(number) for number in range(6)}
    assert draws(source, 6, 0) == []


def test_every_picture_is_a_query_once_before_one_is_again(source: FewShotSet, tmp_path: Path) -> None:
    alone = FewShotSet(tmp_path)
    alone.classes = {"a": source.classes["a"]}
    asked = [name for seed in range(3) for draw in draws(alone, 4, seed) for name in draw.queries]
    assert sorted(asked) == [str(number) for number in range(6)]


def test_what_looks_like_a_shot_is_no_query(source: FewShotSet) -> None:
    plain = draws(source, 2, 0)
    shot, query = plain[0].supports[0], plain[0].queries[0]
    twins = {shot: frozenset([query]), query: frozenset([shot])}
    assert all(query not in draw.queries for draw in draws(source, 2, 0, twins))


def test_leads_are_paired_by_query_and_seed() -> None:
    def line(row: str, query: str, seed: int, value: float) -> dict[str, object]:
        return {
            "set": "s",
            "row": row,
            "label": "a",
            "query": query,
            "seed": seed,
            "iou": value,
            "fit": 1.0,
            "predict": 0.5,
        }

    lines = [line("base", query, seed, 0.2 + 0.1 * seed) for query in "xy" for seed in (0, 1)]
    lines += [line("adapted", query, seed, 0.5 + 0.1 * seed) for query in "xy" for seed in (0, 1)]
    base, adapted = summarise(lines)
    assert base["leads"] == {}
    assert adapted["mean"]["mean"] == pytest.approx(0.55)
    assert adapted["leads"]["base"]["mean"] == pytest.approx(0.3)
    assert adapted["leads"]["base"]["low"] == pytest.approx(0.3)
    assert "+0.300 [+0.300, +0.300]" in table([base, adapted])
