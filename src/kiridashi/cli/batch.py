"""One pass over many pictures: a bad one is noted, and the others go on."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from kiridashi.cli.failures import Interrupted, wants_debug
from kiridashi.cli.progress import Display
from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import Target
from kiridashi.models.threads import in_order
from kiridashi.report.folder import RunFolder
from kiridashi.report.records import Record

Strip = Callable[[Picture, Segments], Picture | None]
Kept = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """What a pass has done.

    Attributes:
        records: of all pictures in the folder, those of the targets first.
        failed: of the targets, those without a result.
        skipped: targets that an earlier run had finished.
        seconds: of this pass.
    """

    records: list[Record]
    failed: list[Record]
    skipped: int
    seconds: float


def run_batch(
    folder: RunFolder,
    targets: Sequence[Target],
    work: Callable[[Picture], Segments],
    *,
    quiet: bool,
    verb: str,
    strip: Strip = lambda _picture, _segments: None,
    display: Display | None = None,
    kept: Kept = lambda: None,
    threads: int = 1,
) -> Outcome:
    """Do `work` on every target that has no result yet.

    Args:
        folder: takes the results.
        targets: the pictures.
        work: from a picture to its result.
        quiet: no progress bar.
        verb: what the bar calls the work.
        strip: from a picture and its result to the way there as one picture, if there is one.
        display: running, for the bar; None: one of its own.
        kept: called after each picture whose result is in the folder.
        threads: how many pictures are worked on at once; with more than one, `work` is called by several
            threads. Results are written one by one, in order.

    Raises:
        Interrupted: Ctrl-C; what is finished is in the folder.
        UsageError: the folder cannot be written.
    """
    started = time.perf_counter()
    pending = folder.pending(targets)
    done = len(targets) - len(pending)
    skipped = done
    try:
        with (
            Display(quiet=quiet) if display is None else nullcontext(display) as shown,
            shown.bar(verb, len(pending)) as step,
        ):
            for target, worked in in_order(pending, partial(_try, work), threads):
                _write(folder, target, worked(), strip, kept)
                done += 1
                step()
    except KeyboardInterrupt as error:
        raise Interrupted(done, len(targets), folder.path, unit="pictures") from error
    records = folder.finish(targets)
    mine = {target.stem for target in targets}
    failed = [record for record in records if record.error is not None and record.stem in mine]
    return Outcome(records, failed, skipped, time.perf_counter() - started)


@dataclass(frozen=True)
class _Worked:
    """What came of one target: a picture with its segments, or why there is none."""

    seconds: float
    found: tuple[Picture, Segments] | None = None
    error: Exception | None = None


def _try(work: Callable[[Picture], Segments], target: Target) -> _Worked:
    started = time.perf_counter()
    try:
        picture = read_picture(target.path)
        segments = work(picture)
    # Whether it stops the run is for the thread to say that writes.
    except Exception as error:
        return _Worked(time.perf_counter() - started, error=error)
    return _Worked(time.perf_counter() - started, (picture, segments))


def _write(folder: RunFolder, target: Target, worked: _Worked, strip: Strip, kept: Kept) -> None:
    try:
        if worked.error is not None:
            raise worked.error
        assert worked.found is not None
        way = strip(*worked.found)
    except UsageError:
        # The command's fault, so it would be the same for every picture.
        raise
    except KiridashiError as error:
        folder.fail(target, without_path(str(error), target), worked.seconds)
    # A defect that one picture brings out must not cost the results of the others.
    except Exception as error:
        if wants_debug():
            raise
        reason = f"unexpected {type(error).__name__}: {reason_of(error)}"
        folder.fail(target, one_line(reason), worked.seconds)
    else:
        folder.commit(target, *worked.found, worked.seconds, way)
        kept()


def without_path(text: str, target: Target) -> str:
    """The reason alone: the line it goes into names the file already."""
    return one_line(text).removeprefix(f"{one_line(str(target.path))}: ")
