"""Start-up: `import kiridashi`, `import kiridashi.core` and `kiridashi --help` beside `python -c pass`.

    python benchmarks/startup.py --repeats 7

Prints medians in seconds and the ratio to the bare interpreter in the same, interleaved run. The claim:
importing takes under 0.3 s and the help under 0.5 s.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import kiridashi": ["-c", "import kiridashi"],
    "import core": ["-c", "import kiridashi.core.segments, kiridashi.core.reference, kiridashi.core.prompt"],
    "kiridashi --help": ["-m", "kiridashi", "--help"],
}
LIMITS = {"import kiridashi": 0.3, "import core": 0.3, "kiridashi --help": 0.5}


def seconds(arguments: list[str]) -> float:
    """Wall time of one fresh interpreter."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    runs: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats + 1):
        for name, arguments in COMMANDS.items():
            runs[name].append(seconds(arguments))
    # The first round fills the disk cache and does not count.
    medians = {name: statistics.median(times[1:]) for name, times in runs.items()}
    bare = medians["python -c pass"]
    for name, median in medians.items():
        limit = f"  (limit {LIMITS[name]} s)" if name in LIMITS else ""
        print(f"{name:<28} {median:6.3f} s   {median / bare:5.1f} x{limit}")
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    print(json.dumps({"seconds": medians} | machine))


if __name__ == "__main__":
    main()
