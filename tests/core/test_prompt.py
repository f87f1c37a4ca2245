from typing import Any

import numpy as np
import pytest

from kiridashi.core.errors import UsageError
from kiridashi.core.prompt import Prompt


@pytest.mark.parametrize(
    "parts",
    [
        {"points": ((1.0, 2.0, 1), (3.0, 4.0, 0))},
        {"box": (0.0, 0.0, 4.0, 4.0)},
        {"prior": np.full((4, 4), 0.5, np.float32)},
    ],
)
def test_each_part_alone_is_enough(parts: dict[str, Any]) -> None:
    prompt = Prompt(**parts)
    assert all(getattr(prompt, name) is value for name, value in parts.items())


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "needs a point"),
        ({"points": ((1.0, 2.0, 2),)}, "label 0 or 1"),
        ({"points": ((np.nan, 2.0, 1),)}, "finite"),
        ({"box": (4.0, 0.0, 4.0, 4.0)}, "x0 < x1"),
        ({"box": (0.0, 0.0, np.inf, 4.0)}, "x0 < x1"),
        ({"prior": np.zeros((4, 4, 1), np.float32)}, r"\(H, W\)"),
        ({"prior": np.zeros((0, 4), np.float32)}, r"\(H, W\)"),
        ({"prior": np.full((4, 4), 1.5, np.float32)}, r"\[0, 1\]"),
        ({"prior": np.full((4, 4), np.nan, np.float32)}, r"\[0, 1\]"),
    ],
)
def test_wrong_prompts_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Prompt(**parts)
