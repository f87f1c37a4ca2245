import numpy as np
from tests.data.formats.made import in_memory

from kiridashi.core.mask import Mask
from kiridashi.data.formats import AnnotatedPicture, Annotation, Box, Problem
from kiridashi.data.sets import figures


def block(rows: slice, columns: slice) -> Mask:
    full = np.zeros((100, 200), bool)
    full[rows, columns] = True
    return Mask.from_array(full)


def test_figures() -> None:
    first = (
        Annotation(1, block(slice(0, 10), slice(5, 15))),
        Annotation(1, block(slice(5, 45), slice(10, 60))),
        Annotation(2, Box(100, 10, 200, 100)),
    )
    pictures = [
        AnnotatedPicture("a", (100, 200), first, split="train", tags={"light": "dim"}),
        AnnotatedPicture("b", (100, 200), split="test", tags={"light": "dim"}),
        AnnotatedPicture("c", (0, 0), problems=(Problem("no-size", "c", "x"),)),
    ]
    told = figures(in_memory(pictures, {1: "dent", 2: "tear", 9: "never"})).to_json(
        {1: "dent", 2: "tear", 9: "never"}
    )
    assert told["pictures"] == 3
    assert (told["empty"], told["missing_files"], told["objects"], told["problems"]) == (2, 3, 3, 1)
    assert told["objects_a_picture"] == {"min": 0, "median": 0, "max": 3}
    assert told["splits"] == {"train": 1, "test": 1}
    assert told["tags"] == {"light": {"dim": 2}}
    assert told["sizes"] == [{"width": 200, "height": 100, "pictures": 2}]
    assert told["by_size"] == {"small": 1, "medium": 1, "large": 0} | {"medium": 2, "small": 1}
    assert told["overlaps"] == {"objects": 1, "pictures": 1}
    assert told["covered"] == round((100 + 2000 - 25 + 9000) / 20000 / 2, 6)
    dent, tear, never = told["classes"]
    assert (dent["pictures"], dent["objects"], dent["boxes_only"], dent["at_edge"]) == (1, 2, 0, 1)
    assert dent["share"] == {"min": 0.005, "median": 0.0525, "max": 0.1}
    assert (tear["objects"], tear["boxes_only"], tear["at_edge"]) == (1, 1, 1)
    assert (never["objects"], never["share"]) == (0, None)
