import xml.etree.ElementTree as ET

import pytest

from kiridashi.evaluate.wsol.agreement import Agreement, Pair
from kiridashi.report.wsol.scatter import LEFT, SIDE, TOP, draw

SVG = "{http://www.w3.org/2000/svg}"


def agreement(
    *pairs: tuple[float, float, bool], name: str = "tiles", correlation: float | None = 0.5
) -> Agreement:
    made = tuple(Pair(name, f"p{n}", "crack <1>", *pair) for n, pair in enumerate(pairs))
    return Agreement(made, correlation, sum(one.final > one.coarse for one in made) / len(made))


def test_a_dot_lies_where_its_qualities_say() -> None:
    root = ET.fromstring(draw([agreement((0.25, 1.0, False), (0.0, 0.0, True))]))
    first, second = root.iter(f"{SVG}circle")
    assert (float(first.get("cx", "")), float(first.get("cy", ""))) == pytest.approx((LEFT + SIDE / 4, TOP))
    assert (float(second.get("cx", "")), float(second.get("cy", ""))) == pytest.approx((LEFT, TOP + SIDE))
    assert first.get("fill") != "none"
    assert second.get("fill") == "none"
    title = first.find(f"{SVG}title")
    assert title is not None
    assert title.text == "p0, crack <1>: 0.25, 1.00"


def test_each_set_has_its_square_and_its_words() -> None:
    words = draw([agreement((0.1, 0.9, False)), agreement((0.1, 0.0, False), name="b & c", correlation=None)])
    root = ET.fromstring(words)
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert "1 answers, 100% better, rank correlation +0.50" in texts
    assert "1 answers, 0% better, no rank correlation" in texts
    assert "b & c" in texts
    left, right = (float(each.get("cx", "")) for each in root.iter(f"{SVG}circle"))
    assert right > left + SIDE
