import math
from typing import Any

import pytest

from kiridashi.classes.base_training import BaseOptions
from kiridashi.core.errors import UsageError


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"points": -1}, "points must be 0 or more"),
        ({"batch": 1}, "batch must be 2 or more"),
        ({"learning_rate": math.inf}, "learning_rate must be a number above 0"),
        ({"held_aside": 1.0}, "held_aside is a share"),
        ({"background_weight": 1.5}, r"background_weight must be in 0\.\.1"),
        ({"decoder_steps": 5}, "name a folder"),
    ],
)
def test_settings_out_of_range_are_told(setting: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        BaseOptions(**setting)
