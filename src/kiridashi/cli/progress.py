"""The progress bar, on standard error and only where somebody looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Task

Step = Callable[[], None]


@contextmanager
def progress_bar(description: str, total: int, *, quiet: bool, unit: str = "pictures") -> Iterator[Step]:
    """Yield a function to call after each step; shows steps a second and the time left.

    Nothing is drawn when `quiet`, or when standard error is not a terminal.
    """
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

    class Rate(ProgressColumn):
        def render(self, task: "Task") -> Text:
            return Text(rate_text(task.finished_speed or task.speed, unit))

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def waiting(text: str, *, quiet: bool) -> Iterator[None]:
    """Show that something is going on whose end nobody knows, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def rate_text(per_second: float | None, unit: str = "pictures") -> str:
    """`2.5 pictures/s`, with as many digits as mean something."""
    if not per_second:
        return f"- {unit}/s"
    return f"{per_second:.{0 if per_second >= 100 else 1 if per_second >= 1 else 2}f} {unit}/s"
