"""Tuned necks on disk, by the content of all that they depend on: nothing is paid for twice."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.reference import Reference
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.delta import FORMAT, NeckDelta
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.alignment.references import in_order
from kiridashi.reference.alignment.tune import Progress, tune_neck


class NeckCache:
    """A folder of tuned necks.

    Args:
        folder: made when the first neck is written; deleting it, or any file in it, does no harm.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def neck(
        self,
        model: PromptableModel,
        references: Sequence[Reference],
        options: AlignmentOptions | None = None,
        progress: Progress | None = None,
    ) -> NeckDelta:
        """The neck tuned on these references: read if it is here, else tuned and kept.

        A file that is damaged is made anew. `progress` is not called when nothing is tuned.

        Raises:
            UsageError: as `tune_neck`, or the folder cannot be written, which is tried before tuning.
            InputError: as `tune_neck`.
        """
        options = options or AlignmentOptions()
        path = self.path(model, references, options)
        try:
            return NeckDelta.load(path, model)
        except InputError:
            self._make_folder()
        delta = tune_neck(model, references, options, progress)
        delta.save(path)
        return delta

    def path(
        self, model: PromptableModel, references: Sequence[Reference], options: AlignmentOptions
    ) -> Path:
        """Where the neck for these inputs is, or would be.

        Raises:
            UsageError: no reference.
            InputError: a mask that is empty or covers its picture.
        """
        parts = {
            "format": FORMAT,
            "encoder": encoder_fingerprint(model),
            "options": options.to_dict(),
            "references": [digest for digest, _ in in_order(references)],
        }
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key}.safetensors"

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"{self.folder}: cannot keep tuned necks here ({reason}); name another folder"
            ) from error
