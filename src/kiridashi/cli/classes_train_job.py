"""The work of `kiridashi classes train-base`."""

import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import Told, count
from kiridashi.cli.progress import Display, Stages
from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_json
from kiridashi.data.files import one_line, reason_of

if TYPE_CHECKING:
    from kiridashi.classes.base_training import BaseOptions, BaseResult, CocoSet
    from kiridashi.models.promptable import PromptableModel

HEAD, MODEL, SUMMARY, WORK = "head.safetensors", "model", "training.json", "work"


@dataclass(frozen=True)
class TrainBaseJob:
    """What the user asks of `classes train-base`; see its options."""

    annotations: Path
    out: Path
    pictures: Path | None = None
    model: str = "compact"
    points: int = 64
    steps: int = 2000
    decoder_steps: int = 0
    held_aside: float = 0.25
    seed: int = 0
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            UsageError: an option out of its range, or the folder cannot be written.
            InputError: the data cannot be used, or has too few classes.
            ModelUnavailableError: the model's files are not here.
        """
        from kiridashi.classes.base_training import BaseOptions, train_base
        from kiridashi.models import loading

        options = BaseOptions(
            folder=self._work_folder(),
            points=self.points,
            held_aside=self.held_aside,
            steps=self.steps,
            decoder_steps=self.decoder_steps,
            seed=self.seed,
        )
        began = time.perf_counter()
        with Display(quiet=self.quiet) as display:
            with display.waiting("reading the data and loading the model"):
                data = self._data()
                model = loading.load_model(self.model)
            shown = Stages(display)
            try:
                result = train_base(model, data, options, shown.tell)
            finally:
                shown.close()
        files = self._write(result, model, options)
        return self._told(result, data, files, time.perf_counter() - began)

    def _work_folder(self) -> Path:
        folder = self.out / WORK
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(one_line(f"{folder}: cannot be made: {reason_of(error)}")) from error
        return folder

    def _data(self) -> "CocoSet":
        from kiridashi.classes.base_training import CocoSet

        if self.annotations.is_dir():
            raise InputError(
                one_line(
                    f"{self.annotations}: expected a COCO file (.json), this is a folder; name the file in it"
                )
            )
        beside = self.annotations.parent / "images"
        return CocoSet(
            self.annotations, self.pictures or (beside if beside.is_dir() else self.annotations.parent)
        )

    def _write(
        self, result: "BaseResult", model: "PromptableModel", options: "BaseOptions"
    ) -> dict[str, Path]:
        files = {}
        if result.head is not None:
            files["head"] = self.out / HEAD
            result.head.save(files["head"])
        if result.decoder is not None and result.decoder.best_step:
            files["model"] = self.out / MODEL
            _save_model(model, files["model"])
        files["summary"] = self.out / SUMMARY
        settings = {name: value for name, value in vars(options).items() if name != "folder"}
        write_json(files["summary"], {**_facts(result), "options": settings}, indent=1)
        return files

    def _told(self, result: "BaseResult", data: "CocoSet", files: dict[str, Path], seconds: float) -> Told:
        document = {
            "command": "classes train-base",
            "out": str(self.out),
            **_facts(result),
            "seconds": round(seconds, 3),
            "files": {kind: str(path) for kind, path in files.items()},
        }
        split = result.split
        learned = len(split.trained)
        lines = [
            f"{count(len(data), 'picture')}, {count(learned, 'class')} learned from, {seconds:.0f} s",
            result.verdict,
        ]
        if result.decoder is not None:
            lines.append(
                f"mask decoder: loss {result.decoder.before:.4f} before, "
                f"{result.decoder.after:.4f} after tuning"
            )
        if "head" in files:
            lines.append(
                f"use it: kiridashi classes add NAME --samples DIR --store FILE --head {files['head']}"
            )
            lines.append("a registry made without it: kiridashi classes rebuild --store FILE --head ...")
        if "model" in files:
            lines.append(f"the tuned model: --model {files['model']}")
        return Told(lines, document)


def _facts(result: "BaseResult") -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "head": result.head is not None,
        "classes": {name: list(part) for name, part in vars(result.split).items()},
        "accuracy": [vars(one) for one in result.gains],
        "decoder": None if result.decoder is None else vars(result.decoder),
    }


def _save_model(model: "PromptableModel", folder: Path) -> None:
    """Write a model folder so that a killed process leaves no half of one under its name."""
    from kiridashi.models.loading import quiet

    temporary = folder.with_name(f".{secrets.token_hex(8)}")
    try:
        with quiet():
            model.net.save_pretrained(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise UsageError(one_line(f"{folder}: cannot be written: {reason_of(error)}")) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
