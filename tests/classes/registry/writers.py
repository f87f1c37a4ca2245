"""Processes that write to a registry and are killed while they do. Run by the tests, not collected.

It imports once and forks for every process, so that many deaths take little time.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, event

from kiridashi.classes.registry import Registry, Sample
from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

WIDTH = 64


def sample(seed: int) -> Sample:
    """Large enough that a commit takes a while."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[:20] = True
    return Sample(Picture(pixels, f"{seed}.png"), Mask.from_array(mask), rng.normal(size=WIDTH))


def write_on(folder: Path, first: int, count: int, prefix: str) -> None:
    """Add classes, and say of each that it is there as soon as the registry has said so."""
    path = folder / "store"
    acknowledged = os.open(folder / f"acknowledged-{prefix}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        registry = Registry.create(path, "compact", "f1", WIDTH)
    except UsageError:
        registry = Registry.open(path, writable=True, wait_s=60)
    for number in range(first, first + count):
        shots = [sample(3 * number + each) for each in range(3)]
        added = registry.add(f"{prefix}{number}", shots, background=shots[:1])
        os.write(acknowledged, f"{added.id} {prefix}{number}\n".encode())
    registry.close()


def die_at(statement: int) -> None:
    """Die before a statement; commits count as statements."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, count)


def forked(work: Callable[[], None]) -> int:
    """The id of a process that does the work and exits with 0, or with 1 when it fails."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        work()
        code = 0
    except KiridashiError as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def at_statements(folder: Path, statements: Sequence[int]) -> None:
    """One new registry for each point of death."""
    for statement in statements:
        own = folder / f"{statement}"
        own.mkdir()

        def work(own: Path = own, statement: int = statement) -> None:
            die_at(statement)
            write_on(own, 0, 3, "a")

        os.waitpid(forked(work), 0)


def at_moments(folder: Path, rounds: int, seed: int) -> None:
    """One registry that every process goes on with, after the one before was killed."""
    draw = random.Random(seed)
    for number in range(rounds):
        before = lines_in(folder / "acknowledged-a")
        process = forked(lambda number=number: write_on(folder, 100 * number, 100, "a"))  # type: ignore[misc]
        # Some die on the way to the first addition, others in the middle of a later one.
        wait_for(folder / "acknowledged-a", before + draw.randint(0, 3))
        time.sleep(draw.uniform(0.0, 0.05))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def lines_in(path: Path) -> int:
    """Number of lines, 0 without a file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(path: Path, lines: int, most_s: float = 60) -> None:
    """Until a file has so many lines, or for a time that only a failure takes."""
    end = time.monotonic() + most_s
    while lines_in(path) < lines and time.monotonic() < end:
        time.sleep(0.001)


def together(folder: Path, count: int, prefixes: str) -> int:
    """Several processes on one registry at once; how many of them failed."""
    processes = [forked(lambda prefix=prefix: write_on(folder, 0, count, prefix)) for prefix in prefixes]  # type: ignore[misc]
    return sum(os.waitpid(process, 0)[1] != 0 for process in processes)


if __name__ == "__main__":
    where = Path(sys.argv[2])
    if sys.argv[1] == "statements":
        at_statements(where, [int(each) for each in sys.argv[3].split(",")])
    elif sys.argv[1] == "moments":
        at_moments(where, int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(together(where, int(sys.argv[3]), sys.argv[4]))
