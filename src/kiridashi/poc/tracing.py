"""What a result depends on, noted down so that it can be made again and told apart."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from kiridashi import __version__
from kiridashi.evaluate.pictures import Line

PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "opencv-python-headless",
)
# Of a line: what differs from run to run, and where the files lay.
_PASSING = ("fit_seconds", "predict_seconds", "peak_mib", "data")


def machine_facts() -> dict[str, str]:
    """Versions and machine."""
    facts = {
        "kiridashi": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for name in PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def figures_digest(lines: Iterable[Line]) -> str:
    """SHA-256 over all answers and their scores, without times: equal for a run that was made again."""
    told = [{key: value for key, value in line.to_json().items() if key not in _PASSING} for line in lines]
    texts = sorted(json.dumps(one, sort_keys=True, ensure_ascii=True) for one in told)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
