"""Progress bars, on standard error and only where somebody looks at them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

Step = Callable[[], None]
Tell = Callable[[int, int], None]
# A step that took less was not worked on but found in a cache.
WORK_SECONDS = 5e-4


class Display:
    """Bars one below the other, for work inside of work; use it as a context.

    A terminal can show one live display at a time, so that everything of a command goes through one.

    Args:
        quiet: draw nothing, as when standard error is not a terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._progress: Progress | None = None

    def __enter__(self) -> "Display":
        self._progress = _bars(self._quiet)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = None

    @contextmanager
    def bar(self, description: str, total: int, *, unit: str = "pictures") -> Iterator[Step]:
        """Yield a function to call after each step; shows steps a second and the time left."""
        progress = self._running()
        task = progress.add_task(description, total=total, unit=unit)
        yield lambda: progress.advance(task)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something is going on whose end nobody knows."""
        progress = self._running()
        task = progress.add_task(text, total=None, unit="")
        try:
            yield
        finally:
            progress.remove_task(task)

    @contextmanager
    def part(self, text: str, *, unit: str = "steps") -> Iterator[Tell]:
        """Yield a function of (steps done, steps in all); the bar goes when the part is done.

        This is a `kiridashi.reference.cav.progress.Progress`.
        """
        progress = self._running()
        task = progress.add_task(text, total=None, unit=unit)
        before = time.perf_counter()

        def tell(done: int, total: int) -> None:
            nonlocal before
            now = time.perf_counter()
            if now - before < WORK_SECONDS:
                # Steps that cost nothing would promise too much of the others.
                progress.reset(task, total=total, completed=done)
            else:
                progress.update(task, total=total, completed=done)
            before = now

        try:
            yield tell
        finally:
            progress.remove_task(task)

    def _running(self) -> "Progress":
        if self._progress is None:
            raise RuntimeError("the display is used outside of its context")
        return self._progress


class Stages:
    """One bar for each stage of a work that tells (stage, steps done, steps in all).

    Args:
        display: running.
        units: what the steps of a stage are, by its name; of others: steps.

    Attributes:
        told: the last that was told.
    """

    def __init__(self, display: Display, units: Mapping[str, str] | None = None) -> None:
        self._display, self._units = display, units or {}
        self.told: tuple[str, int, int] = ("", 0, 0)
        self._part: AbstractContextManager[Tell] | None = None
        self._tell: Tell | None = None

    def tell(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar; another stage takes the place of the one before."""
        if stage != self.told[0]:
            self.close()
            self._part = self._display.part(stage, unit=self._units.get(stage, "steps"))
            self._tell = self._part.__enter__()
        self.told = (stage, done, total)
        if self._tell is not None:
            self._tell(done, total)

    def close(self) -> None:
        """Take the last bar away."""
        if self._part is not None:
            self._part.__exit__(None, None, None)
        self._part = self._tell = None


@contextmanager
def progress_bar(description: str, total: int, *, quiet: bool, unit: str = "pictures") -> Iterator[Step]:
    """One bar in a display of its own; see `Display.bar`."""
    with Display(quiet=quiet) as display, display.bar(description, total, unit=unit) as step:
        yield step


@contextmanager
def waiting(text: str, *, quiet: bool) -> Iterator[None]:
    """One remark in a display of its own; see `Display.waiting`."""
    with Display(quiet=quiet) as display, display.waiting(text):
        yield


def rate_text(per_second: float | None, unit: str = "pictures") -> str:
    """`2.5 pictures/s`, with as many digits as mean something."""
    if not per_second:
        return f"- {unit}/s"
    return f"{per_second:.{0 if per_second >= 100 else 1 if per_second >= 1 else 2}f} {unit}/s"


def _bars(quiet: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Count(MofNCompleteColumn):
        def render(self, task: "Task") -> "Text":
            return Text("") if task.total is None else super().render(task)

    class Rate(ProgressColumn):
        def render(self, task: "Task") -> "Text":
            unit = task.fields["unit"]
            return Text("" if task.total is None else rate_text(task.finished_speed or task.speed, unit))

    class Left(TimeRemainingColumn):
        def render(self, task: "Task") -> "Text":
            return Text("") if task.total is None else super().render(task)

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        Count(),
        Rate(),
        Left(compact=True, elapsed_when_finished=True),
        console=console,
        disable=quiet or not console.is_terminal,
    )
