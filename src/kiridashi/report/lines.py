"""JSON on one line, as results are written."""

import json
from typing import Any


def dump_line(value: Any) -> str:
    """Compact JSON without line breaks; NaN and infinity are refused with ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Valid inside JSON strings, but some readers take them for line ends.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
