"""Exit codes, and how a failure is told: a line or two on standard error, never a traceback unasked."""

import os
import sys
from enum import IntEnum
from pathlib import Path

DEBUG_VARIABLE = "KIRIDASHI_DEBUG"


class ExitCode(IntEnum):
    """What the process says to the program that called it."""

    DONE = 0
    DEFECT = 1
    WRONG_USE = 2
    SOME_FAILED = 3
    INTERRUPTED = 130


class Interrupted(Exception):  # noqa: N818 (not an error)
    """Ctrl-C in the middle of a batch.

    Args:
        done: pictures, or whatever is counted, with a result.
        total: of them asked for.
        out: the folder of the results.
        can_resume: whether the verb has `--resume`.
        unit: what is counted, in several; nothing where that is plain.
    """

    def __init__(self, done: int, total: int, out: Path, can_resume: bool = True, unit: str = "") -> None:
        then = "run the same command with --resume to go on" if can_resume else "the finished masks stay"
        what = f"{total} {unit}".rstrip()
        super().__init__(f"interrupted: {done} of {what} are done and stay in {out}\n{then}")


def wants_debug() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def tell(text: str, kind: str = "error") -> None:
    """One message on standard error."""
    print(f"kiridashi: {kind}: {text}" if kind else text, file=sys.stderr, flush=True)
