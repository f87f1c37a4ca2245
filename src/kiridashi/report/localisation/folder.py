"""The output folder of `localize predict`: a run's folder with coarse maps and stages."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from kiridashi.core.adapters.named_overlay import draw_named
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.data.atomic import atomic_path
from kiridashi.data.pictures import write_picture
from kiridashi.data.targets import Target
from kiridashi.report.folder import RunFolder, sweep
from kiridashi.report.localisation.drawing import draw_stages, map_pixels
from kiridashi.report.localisation.stages import Stages
from kiridashi.report.records import Record

MAPS, STAGES = "maps", "stages"


class LocalisationFolder(RunFolder):
    """The folder of one run of `localize predict`. Make it with `begin`.

    Attributes:
        numbers: of each class, which give its category and its colour.
    """

    numbers: Mapping[str, int]
    _held: dict[int, Stages]
    _writing: Stages | None = None

    @classmethod
    def begin(
        cls,
        path: str | Path,
        settings: Mapping[str, Any],
        numbers: Mapping[str, int],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> "LocalisationFolder":
        """Begin a run in a folder, or go on with the one that is there; see `RunFolder.open`.

        Args:
            path: the folder.
            settings: what the results depend on.
            numbers: of every class, from 1 on.
            resume: go on with the run in the folder.
            overwrite: remove its results first.

        Raises:
            UsageError: as `RunFolder.open`.
        """
        folder = cls.open(
            path,
            settings,
            resume=resume,
            overwrite=overwrite,
            categories=numbers,
            drawing=partial(draw_named, numbers=numbers),
        )
        assert isinstance(folder, cls)
        folder.numbers, folder._held = numbers, {}
        return folder

    def hold(self, picture: Picture, stages: Stages) -> None:
        """Keep the stages of a picture until it is committed."""
        # By the object: two files may hold the same picture.
        self._held[id(picture)] = stages

    def commit(
        self,
        target: Target,
        picture: Picture,
        segments: Segments,
        seconds: float,
        strip: Picture | None = None,
    ) -> Record:
        """Write the files of one picture, and last its line; its stages are those that are held.

        Raises:
            UsageError: no stages are held, or a file cannot be written.
        """
        stages = self._writing = self._held.pop(id(picture), None)
        if stages is None:
            raise UsageError("a localisation is written with its stages; hold them first")
        _write_grey(self.map_path(target.stem), map_pixels(stages.map, picture.size))
        drawn = draw_stages(picture, stages, segments, self.numbers)
        write_picture(self.stages_path(target.stem), drawn.pixels)
        try:
            return super().commit(target, picture, segments, seconds, strip)
        finally:
            self._writing = None

    def map_path(self, stem: str) -> Path:
        """The coarse map of a stem."""
        return self.path / MAPS / f"{stem}.png"

    def stages_path(self, stem: str) -> Path:
        """The picture of the stages of a stem."""
        return self.path / STAGES / f"{stem}.jpg"

    def _append(self, record: Record) -> Record:
        if record.error is None and self._writing is not None:
            record = replace(record, details=self._writing.outcome.to_json())
        return super()._append(record)

    def _is_done(self, record: Record, target: Target) -> bool:
        files = (self.map_path(record.stem), self.stages_path(record.stem))
        return super()._is_done(record, target) and all(file.is_file() for file in files)

    def _holds_results(self) -> bool:
        folders = (self.path / MAPS, self.path / STAGES)
        return super()._holds_results() or any(each.is_dir() and any(each.iterdir()) for each in folders)

    def _remove_files(self, stem: str) -> None:
        super()._remove_files(stem)
        # A line of a foreign results.jsonl must not reach outside of the folder.
        if Path(stem).name == stem:
            self.map_path(stem).unlink(missing_ok=True)
            self.stages_path(stem).unlink(missing_ok=True)

    def _sweep(self) -> None:
        super()._sweep()
        for name in (MAPS, STAGES):
            if (self.path / name).is_dir():
                sweep(self.path / name)


def _write_grey(path: Path, values: Any) -> None:
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(values).save(temporary, format="PNG")
