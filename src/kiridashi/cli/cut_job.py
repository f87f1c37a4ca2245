"""The work of `kiridashi cut`."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiridashi.cli.failures import ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.progress import progress_bar
from kiridashi.cli.prompts import PromptLine, make_prompt, parse_line
from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Box, Point
from kiridashi.core.segments import Segments
from kiridashi.data.atomic import write_text
from kiridashi.data.files import one_line, reason_of
from kiridashi.data.lines import append_line
from kiridashi.data.masks import write_mask
from kiridashi.data.pictures import read_picture
from kiridashi.report.folder import MASKS, RESULTS
from kiridashi.report.lines import dump_line

MAX_LINE = 1 << 20
MASK_SUFFIX = ".png"


def cut_one(
    picture_path: Path,
    points: Sequence[Point],
    box: Box | None,
    prior: Path | None,
    out: Path,
    model_name: str,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Cut one object and write its mask.

    Raises:
        KiridashiError: the arguments, the files or the model cannot be used.
    """
    from kiridashi.models.catalogue import find_card

    if out.suffix.lower() != MASK_SUFFIX:
        raise UsageError(f"{out}: the mask is written as PNG; let --out end in {MASK_SUFFIX}")
    find_card(model_name)
    picture = read_picture(picture_path)
    prompt = make_prompt(picture, points, box, prior)
    from kiridashi.models.cutting import cut
    from kiridashi.models.loading import load_model

    started = time.perf_counter()
    segments = cut(load_model(model_name), picture, prompt)
    write_mask(out, segments.union())
    told = {"picture": str(picture_path), "out": str(out), **_facts(segments)}
    told["seconds"] = round(time.perf_counter() - started, 4)
    if as_json:
        print(json.dumps(told))
    elif not quiet:
        print(f"{out}: {told['area']:,} pixels, score {told['score']} ({told['masks']})")


@dataclass
class _Batch:
    """The state of a pass over a file of prompts.

    Attributes:
        out: the folder.
        failed: id (or line number) and reason of what could not be done.
        done: number of masks written.
        how: who cut, for the summary.
    """

    out: Path
    failed: list[tuple[str, str]] = field(default_factory=list)
    done: int = 0
    how: str = ""

    def note(self, line: dict[str, Any]) -> None:
        append_line(self.out / RESULTS, dump_line(line))

    def fail(self, name: str, image: str | None, reason: str) -> None:
        self.failed.append((name, reason))
        self.note({"id": name, "image": image, "mask": None, "error": reason})


def cut_many(prompts: Path, out: Path, model_name: str, *, quiet: bool, as_json: bool) -> int:
    """Cut all objects of a prompts file; masks of the same name are replaced.

    Returns:
        The exit code: 0 all done, 3 some lines failed.

    Raises:
        KiridashiError: the file of prompts, the folder or the model cannot be used.
        Interrupted: Ctrl-C; the finished masks stay.
    """
    from kiridashi.models.catalogue import find_card

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: with --prompts, --out names a folder, and this is a file")
    find_card(model_name)
    texts = list(_read_lines(prompts))
    if not texts:
        raise InputError(f"{prompts}: no prompts in it; write a line of JSON for each object")
    batch = _Batch(out)
    write_text(out / RESULTS, "")
    lines = _parse(texts, prompts.parent, batch)
    started = time.perf_counter()
    _cut_lines(lines, batch, model_name, quiet=quiet)
    return _tell(batch, time.perf_counter() - started, quiet=quiet, as_json=as_json)


def _cut_lines(lines: Sequence[PromptLine], batch: _Batch, model_name: str, *, quiet: bool) -> None:
    if not lines:
        return
    from kiridashi.models.loading import load_model

    groups: dict[Path, list[PromptLine]] = {}
    for line in lines:
        groups.setdefault(line.image, []).append(line)
    model = load_model(model_name)
    # The command's fault, so it would be the same for every line.
    model.require("mask_decoder", "cut")
    try:
        with progress_bar("cut", len(lines), quiet=quiet, unit="masks") as step:
            for image, group in groups.items():
                picture = _read_group(image, group, batch)
                for line in group:
                    if picture is not None:
                        _cut_line(line, picture, batch, model)
                    step()
    except KeyboardInterrupt as error:
        raise Interrupted(batch.done, len(lines), batch.out, can_resume=False, unit="masks") from error


def _read_group(image: Path, group: Sequence[PromptLine], batch: _Batch) -> Picture | None:
    """The picture of some prompts; None, and all of them failed, when it cannot be read."""
    try:
        return read_picture(image)
    except KiridashiError as error:
        for line in group:
            batch.fail(line.id, str(image), one_line(str(error)))
        return None


def _cut_line(line: PromptLine, picture: Picture, batch: _Batch, model: Any) -> None:
    from kiridashi.models.cutting import cut

    started = time.perf_counter()
    try:
        segments = cut(model, picture, make_prompt(picture, line.points, line.box, line.prior))
    except KiridashiError as error:
        batch.fail(line.id, str(line.image), one_line(str(error)))
        return
    # A defect that one prompt brings out must not cost the masks of the others.
    except Exception as error:
        if wants_debug():
            raise
        batch.fail(
            line.id, str(line.image), f"unexpected {type(error).__name__}: {one_line(reason_of(error))}"
        )
        return
    path = batch.out / MASKS / f"{line.id}{MASK_SUFFIX}"
    write_mask(path, segments.union())
    facts = _facts(segments)
    batch.how = facts["masks"]
    batch.done += 1
    seconds = round(time.perf_counter() - started, 4)
    batch.note(
        {
            "id": line.id,
            "image": str(line.image),
            "mask": f"{MASKS}/{path.name}",
            **facts,
            "seconds": seconds,
            "error": None,
        }
    )


def _facts(segments: Segments) -> dict[str, Any]:
    score = round(segments[0].score, 6) if len(segments) else None
    union = segments.union()
    return {"score": score, "area": union.area, "box": list(union.box), "masks": segments.provenance["masks"]}


def _read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number, content) of each line that is not empty."""
    from kiridashi.data.files import check_file

    check_file(path)
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise InputError(f"{path}: {reason_of(error)}") from error


def _parse(texts: Sequence[tuple[int, bytes]], folder: Path, batch: _Batch) -> list[PromptLine]:
    """The lines that can be tried; the others are noted as failed."""
    lines: dict[str, PromptLine] = {}
    for number, text in texts:
        name = f"line {number}"
        try:
            content = json.loads(text.decode("utf-8-sig"))
            if not isinstance(content, dict):
                raise InputError("not a JSON object")
            line = parse_line(content, folder)
            # Some file systems take names that differ only in case for the same.
            if line.id.casefold() in lines:
                raise InputError(f"the id {line.id!r} was used before; each mask needs its own")
            lines[line.id.casefold()] = line
        except KiridashiError as error:
            batch.fail(name, None, one_line(str(error)))
        except (ValueError, RecursionError):
            batch.fail(name, None, "not JSON")
    return list(lines.values())


def _tell(batch: _Batch, seconds: float, *, quiet: bool, as_json: bool) -> int:
    code = ExitCode.SOME_FAILED if batch.failed else ExitCode.DONE
    if as_json:
        told = {
            "command": "cut",
            "out": str(batch.out),
            "masks": batch.done,
            "how": batch.how,
            "failed": [{"id": name, "error": reason} for name, reason in batch.failed],
            "seconds": round(seconds, 3),
            "exit_code": int(code),
        }
        print(json.dumps(told))
    elif not quiet:
        print(
            f"{batch.done} masks in {batch.out / MASKS}, {seconds:.1f} s"
            + (f" ({batch.how})" if batch.how else "")
        )
    for name, reason in batch.failed:
        tell(f"{name}: {reason}", "not done")
    return code
