import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.reference.cav import BRIDGES, CavOptions
from kiridashi.reference.cav.bridges import CANDIDATES


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bridges": ("none", "mixup")}, "got mixup"),
        ({"bridges": ()}, "none at all"),
        ({"prompt": "point"}, "mask, box; got 'point'"),
        ({"prompt_share": 1.1}, "prompt_share is 0 to 1"),
        ({"margin": -0.1}, "margin is 0 to 1"),
        ({"margin": float("nan")}, "margin is 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        CavOptions(**wrong)


def test_the_rows_of_the_ablation() -> None:
    parts = {name: (bridge.transition, bridge.aligned) for name, bridge in BRIDGES.items()}
    assert parts == {
        "none": ("none", False),
        "dbst": ("dbst", False),
        "ttga": ("none", True),
        "both": ("dbst", True),
        "cross-fade": ("cross-fade", False),
        "affine": ("affine", False),
    }
    assert CavOptions().bridges == CANDIDATES == ("none", "ttga", "dbst", "both")


def test_the_dictionary_is_json_and_leaves_out_where_things_are_kept(
    quick: Callable[..., CavOptions],
) -> None:
    options = quick("none", "both")
    assert quick("none", "both", cache=Path("kept")).to_dict() == options.to_dict()
    assert json.loads(json.dumps(options.to_dict())) == options.to_dict()
    assert quick("both", "none").to_dict() != options.to_dict()


def test_one_seed_for_all_that_is_random() -> None:
    options = CavOptions(margin=0.2).seeded(7)
    assert (options.transition.seed, options.alignment.seed, options.margin) == (7, 7, 0.2)
    assert options.seeded(0) == CavOptions(margin=0.2)
