"""The files of a Stable Diffusion model: in a folder, in the hub's cache, or fetched; safetensors only."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError, ModelUnavailableError, UsageError
from kiridashi.models.fetching import ANSWER_SECONDS, HTTP_LIBRARIES
from kiridashi.models.folder import read_json

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
INDEX = "model_index.json"
# Parts with weights, and what their files are called.
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
SETTINGS = (
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/*.json",
    "tokenizer/*.txt",
)
VARIANTS = ("", ".fp16")
GIB = 1 << 30
FLOAT_BYTES = 4
# What a training step of the LoRA needs beside the weights, in parts of the UNet's: an estimate.
WORKING_SHARE = 1.0


def find_folder(place: str) -> Path:
    """The folder with a model's files; a hub model that is not on this machine is fetched.

    Args:
        place: a folder, or a hub id such as owner/name.

    Raises:
        UsageError: neither of the two.
        ModelUnavailableError: a hub model that cannot be fetched.
        InputError: a folder without the files, or with pickled weights only.
    """
    folder = Path(place)
    if folder.is_dir():
        check_folder(folder)
        return folder
    if not HUB_ID.fullmatch(place):
        raise UsageError(
            f"{place!r}: no such folder, and no hub id; give compact, a hub id such as owner/name, "
            "or a folder in the diffusers format"
        )
    found = _cached(place) or _fetched(place)
    check_folder(found)
    return found


def check_folder(folder: Path) -> None:
    """See that a folder holds all parts of a pipeline, with weights in safetensors.

    Raises:
        InputError: something is missing; the text names it.
    """
    if not (folder / INDEX).is_file():
        raise InputError(f"{folder}: no {INDEX}; expected a folder as diffusers' save_pretrained writes it")
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    for part in WEIGHTS:
        if variant_of(part, names) is None:
            raise InputError(
                f"{folder}: {part} has no weights in safetensors (pickled weights can run code and are not "
                "read); save the model again with save_pretrained"
            )


def variant_of(part: str, names: Iterable[str]) -> str | None:
    """Which of the weights to take: "" the plain ones, ".fp16" the halved ones; None: there are none.

    Args:
        part: of `WEIGHTS`.
        names: of all files, relative to the model's folder.
    """
    known = set(names)
    for variant in VARIANTS:
        stem = f"{part}/{WEIGHTS[part]}"
        if {f"{stem}{variant}.safetensors", f"{stem}.safetensors.index{variant}.json"} & known:
            return variant
    return None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that will be read, in order."""
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    found: list[Path] = []
    for part in WEIGHTS:
        pattern = _pattern(part, variant_of(part, names) or "")
        found += [folder / name for name in names if pattern.fullmatch(name)]
    return sorted(found)


def needed_bytes(folder: Path) -> int:
    """An estimate of the memory that the model takes in float32 while a LoRA is trained.

    Raises:
        InputError: a damaged file.
    """
    total = 0.0
    for path in weight_files(folder):
        share = 1 + WORKING_SHARE if path.parent.name == "unet" else 1
        total += share * FLOAT_BYTES * _parameters(path)
    return int(total)


def check_memory(name: str, needed: int) -> None:
    """Refuse a model that this machine's memory cannot hold.

    Raises:
        UsageError: less is free than it needs.
    """
    free = free_memory()
    if free is not None and free < needed:
        raise UsageError(
            f"{name} needs about {needed / GIB:.1f} GiB of memory and {free / GIB:.1f} GiB is free; "
            "close other programs, or take the compact back-end"
        )


def free_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, flags=re.MULTILINE)
    return int(match[1]) << 10 if match else None


def check_kind(folder: Path) -> None:
    """Refuse models of other families.

    Raises:
        InputError: no Stable Diffusion of the first or second generation that makes pictures from text.
    """
    index, unet = read_json(folder / INDEX), read_json(folder / "unet" / "config.json")
    kind = index.get("_class_name")
    is_family = _class_of(index, "unet") == "UNet2DConditionModel"
    is_family = is_family and _class_of(index, "text_encoder") == "CLIPTextModel"
    is_family = is_family and not index.get("text_encoder_2", [None])[0]
    plain = unet.get("in_channels") == unet.get("out_channels") and not unet.get("addition_embed_type")
    if not (is_family and plain):
        raise InputError(
            f"{folder}: a {kind} with {unet.get('in_channels')} input channels is not supported; "
            "expected Stable Diffusion 1 or 2 for text to image, as diffusers saves it"
        )


def _class_of(index: dict[str, Any], part: str) -> str:
    entry = index.get(part)
    return str(entry[1]) if isinstance(entry, list) and len(entry) == 2 else ""


def _parameters(path: Path) -> int:
    from math import prod

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: damaged or truncated ({error}); fetch it again") from error


def _pattern(part: str, variant: str) -> re.Pattern[str]:
    """The plain names of a part's weights: one file, or several."""
    stem = re.escape(f"{part}/{WEIGHTS[part]}")
    return re.compile(
        rf"{stem}{re.escape(variant)}(-\d+-of-\d+)?\.safetensors|{stem}-\d+-of-\d+{re.escape(variant)}\.safetensors"
    )


def _cached(place: str) -> Path | None:
    """The model's folder in the hub's cache if it is complete there."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(place, INDEX)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    try:
        check_folder(folder)
    except InputError:
        return None
    return folder


def _fetched(place: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        # snapshot_download waits for ever on a server that does not answer; this does not.
        info = HfApi().model_info(place, timeout=ANSWER_SECONDS)
        names = [one.rfilename for one in info.siblings or []]
        return Path(snapshot_download(place, allow_patterns=[*SETTINGS, *_weight_patterns(names)]))
    except Exception as error:
        # The hub's client lets its HTTP library's errors through, and which library that is varies.
        is_transport = type(error).__module__.partition(".")[0] in HTTP_LIBRARIES
        if not is_transport and not isinstance(error, OSError | HFValidationError | RuntimeError):
            raise
        reason = "no connection" if is_transport else _reason(error)
        raise ModelUnavailableError(
            f"{place}: not on this machine and cannot be fetched: {reason}\n"
            "check the id on huggingface.co and the network, or give a copied folder, "
            "or take the compact back-end"
        ) from error


def _weight_patterns(names: list[str]) -> list[str]:
    """The files of the chosen variants, so that no second copy of gigabytes is fetched."""
    wanted: list[str] = []
    for part in WEIGHTS:
        variant = variant_of(part, names) or ""
        pattern = _pattern(part, variant)
        wanted += [name for name in names if pattern.fullmatch(name)]
        wanted.append(f"{part}/{WEIGHTS[part]}.safetensors.index{variant}.json")
    return wanted


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids the network"
    if isinstance(error, GatedRepoError):
        return "the hub gives it out after a registration only"
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        return "the hub has no model of this id, or it is private"
    if isinstance(error, LocalEntryNotFoundError | ConnectionError | TimeoutError):
        return "no connection"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
