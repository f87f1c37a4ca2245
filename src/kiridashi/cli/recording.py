"""Statistics of a run go into the registry, as far as it can be written."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from kiridashi.cli.failures import tell
from kiridashi.core.errors import KiridashiError

if TYPE_CHECKING:
    from kiridashi.classes.registry import Registry, Statistic

GOES_ON = "the pictures are done all the same, but `kiridashi classes monitor` will not see them"


class Recorder:
    """Appends rows to a registry; the first failure is told and ends it. A context manager.

    Args:
        path: of the registry.
        wanted: False: nothing is written or told.
    """

    def __init__(self, path: Path, *, wanted: bool = True) -> None:
        self._path, self._wanted = path, wanted
        self._registry: Registry | None = None

    def __enter__(self) -> "Recorder":
        from kiridashi.classes.registry import Registry

        if self._wanted:
            try:
                self._registry = Registry.open(self._path, writable=True)
            except KiridashiError as error:
                self._give_up(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thin_out()
        self._close()

    def write(self, rows: Sequence["Statistic"]) -> None:
        """Append rows in one transaction, or nothing from the first failure on."""
        if self._registry is None:
            return
        try:
            self._registry.record_statistics(rows)
        except KiridashiError as error:
            self._give_up(error)

    def _thin_out(self) -> None:
        from kiridashi.classes.monitoring import thin_out

        if self._registry is None:
            return
        try:
            thin_out(self._registry)
        except KiridashiError as error:
            tell(str(error), "old statistics were not deleted")

    def _give_up(self, error: KiridashiError) -> None:
        self._close()
        tell(f"{error}\n{GOES_ON}", "not recorded")

    def _close(self) -> None:
        if self._registry is not None:
            self._registry.close()
        self._registry = None
