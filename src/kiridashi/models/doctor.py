"""What this installation has, what is wrong with it, and what to type."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiridashi import __version__
from kiridashi.core.errors import KiridashiError
from kiridashi.models.catalogue import ModelCard, cards

State = Literal["ok", "note", "wrong"]
OLDEST_PYTHON = (3, 11)
GIB = 1 << 30
# Below these the default model still runs, but a 1024-pixel model or its download may not.
FREE_MEMORY, FREE_DISK = 2 * GIB, 2 * GIB
IMPORT_SECONDS = 120


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        name: what was looked at.
        state: `ok`, `note` (works, could be better) or `wrong` (something will fail).
        detail: what was found.
        advice: what to do; empty when nothing is to be done.
    """

    name: str
    state: State
    detail: str
    advice: str = ""


def diagnose() -> list[Finding]:
    """Look at the versions, the machine and the model files. Never raises, never uses the network."""
    findings = [Finding("kiridashi", "ok", __version__)]
    checks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("python", _python),
        ("libraries", _libraries),
        ("torchvision", _torchvision),
        ("networks", _networks),
        ("device", _device),
        ("threads", _threads),
        ("memory", _memory),
        ("disk", _disk),
        ("models", _models),
    )
    for name, check in checks:
        # A doctor who faints helps nobody: whatever a broken installation raises becomes a finding.
        try:
            findings.extend(check())
        except Exception as error:
            findings.append(Finding(name, "wrong", f"could not be looked at: {_one_line(error)}"))
    return findings


def _python() -> Iterable[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("python", "ok", found)
    else:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        yield Finding("python", "wrong", found, f"install Python {wanted} or newer")


def _libraries() -> Iterable[Finding]:
    """Every dependency of the installed package with its lower bound; the extras are left out."""
    try:
        requirements = importlib.metadata.requires("kiridashi") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("libraries", "note", "kiridashi is used without being installed", "pip install .")
        return
    for requirement in requirements:
        match = re.match(r"([A-Za-z0-9_.-]+)\s*(?:>=\s*([0-9.]+))?", requirement)
        if match is None or "extra ==" in requirement:
            continue
        yield _library(match[1], match[2] or "0")


def _library(name: str, oldest: str) -> Finding:
    advice = f'pip install "{name}>={oldest}"'
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "wrong", "is not installed", advice)
    if _numbers(found) < _numbers(oldest):
        return Finding(name, "wrong", f"{found} is older than {oldest}", advice)
    return Finding(name, "ok", found)


def _torchvision() -> Iterable[Finding]:
    """A torchvision that does not fit torch breaks the import of every model of transformers."""
    if importlib.util.find_spec("torchvision") is None:
        return
    # In a process of its own: half an import would stay behind in this one.
    done = subprocess.run(
        [sys.executable, "-c", "import torchvision"],
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        yield Finding("torchvision", "ok", "imports (kiridashi does not need it)")
    else:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Finding(
            "torchvision",
            "wrong",
            f"is installed but does not import: {last}",
            "pip uninstall torchvision (kiridashi does not need it; broken, it keeps models from loading)",
        )


def _networks() -> Iterable[Finding]:
    try:
        from transformers import EdgeTamVideoModel, Sam2VideoModel

        names = [net.__name__ for net in (Sam2VideoModel, EdgeTamVideoModel)]
        yield Finding("networks", "ok", f"{' and '.join(names)} import")
    except Exception as error:
        advice = 'pip install --force-reinstall --no-deps "transformers>=5.20"'
        yield Finding("networks", "wrong", f"transformers' SAM 2 does not import: {_one_line(error)}", advice)


def _device() -> Iterable[Finding]:
    import torch

    detail = f"CPU with {_cores()} cores"
    if torch.cuda.is_available():
        detail += f"; {torch.cuda.get_device_name()} is here but is not used"
    yield Finding("device", "ok", detail)


def _threads() -> Iterable[Finding]:
    import torch

    count, policy = torch.get_num_threads(), os.environ.get("OMP_WAIT_POLICY", "")
    detail = f"{count}, OMP_WAIT_POLICY {policy or 'not set'}"
    if count > _cores():
        yield Finding("threads", "note", detail, f"more threads than cores: set OMP_NUM_THREADS={_cores()}")
    elif count > 1 and policy.upper() != "PASSIVE":
        yield Finding(
            "threads",
            "note",
            detail,
            "set OMP_WAIT_POLICY=PASSIVE before the start: many times faster beside another busy program",
        )
    else:
        yield Finding("threads", "ok", detail)


def _memory() -> Iterable[Finding]:
    free = _free_memory()
    if free is None:
        return
    state: State = "ok" if free >= FREE_MEMORY else "note"
    advice = "" if state == "ok" else "close other programs, or stay with --model compact"
    yield Finding("memory", state, f"{free / GIB:.1f} GiB free", advice)


def _disk() -> Iterable[Finding]:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    place = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    state: State = "ok" if free >= FREE_DISK else "note"
    advice = "" if state == "ok" else "free some space, or set HF_HOME to a folder on another disk"
    yield Finding("disk", state, f"{free / GIB:.1f} GiB free for fetched models in {cache}", advice)


def _models() -> Iterable[Finding]:
    for card in cards().values():
        yield _shipped(card) if card.kind == "package" else _fetched(card)


def _shipped(card: ModelCard) -> Finding:
    from kiridashi.models.loading import load_model, read_shipped

    try:
        size = len(read_shipped(card))
        load_model(card.name)
    except KiridashiError as error:
        detail, _, advice = str(error).partition("\n")
        return Finding(card.name, "wrong", detail, advice)
    return Finding(card.name, "ok", f"{size / 1e6:.1f} MB, sha256 as shipped, loads")


def _fetched(card: ModelCard) -> Finding:
    from kiridashi.models.fetching import cached_folder

    folder = cached_folder(card)
    if folder is None:
        return Finding(card.name, "ok", f"not fetched; to use it: kiridashi models fetch {card.name}")
    return Finding(card.name, "ok", f"in {folder}")


def _free_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not tell."""
    table = Path("/proc/meminfo")
    if table.is_file():
        match = re.search(r"^MemAvailable:\s+(\d+) kB", table.read_text(encoding="ascii"), flags=re.MULTILINE)
        if match is not None:
            return int(match[1]) << 10
    return None


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.13.0+cpu` is (2, 13, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
