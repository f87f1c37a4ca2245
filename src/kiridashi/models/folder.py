"""Model folders in the transformers format, as `save_pretrained` writes them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.core.errors import InputError, UsageError
from kiridashi.models.catalogue import ALL_PARTS, ModelCard, Part
from kiridashi.models.thresholds import GridThresholds

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGE_PARTS: frozenset[Part] = frozenset({"image_encoder", "mask_decoder"})
# model_type of the configuration -> family, and the parts that such a network has.
TYPES: dict[str, tuple[str, frozenset[Part]]] = {
    "sam2": ("sam2", IMAGE_PARTS),
    "sam2_video": ("sam2", ALL_PARTS),
    "edgetam": ("edgetam", IMAGE_PARTS),
    "edgetam_video": ("edgetam", ALL_PARTS),
}
# What our own networks write into their configuration, so that a saved copy keeps its card.
OWN_KEY = "kiridashi"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth"})
MAX_JSON_BYTES = 16 << 20


def card_of_folder(folder: Path) -> ModelCard:
    """A card from the folder's configuration files.

    Raises:
        InputError: the configuration is not JSON, not of the SAM 2 family, or has values that no
            network of the family can use.
    """
    config = read_json(folder / "config.json")
    known = TYPES.get(str(config.get("model_type")))
    if known is None:
        raise InputError(
            f"{folder}: model_type {config.get('model_type')!r} is not of the SAM 2 family; "
            f"expected one of {', '.join(TYPES)}"
        )
    family, parts = known
    own = config.get(OWN_KEY)
    own = own if isinstance(own, dict) else {}
    processor = folder / "preprocessor_config.json"
    settings = read_json(processor) if processor.is_file() else own
    return ModelCard(
        name=str(folder),
        summary="a local folder",
        family=family,
        source=f"folder:{folder}",
        licence=str(own.get("licence", "unknown")),
        parameters=0,
        image_size=_image_size(folder, config),
        mean=_channels(folder, settings, "image_mean", IMAGENET_MEAN),
        std=_channels(folder, settings, "image_std", IMAGENET_STD),
        trained=parts & frozenset(own.get("trained") or ALL_PARTS),
        note="" if parts == ALL_PARTS else "pictures only: no memory for videos",
        draws_prompts=own.get("draws_prompts") is True,
        recalls_by_matching=own.get("recalls_by_matching") is True,
        grid=_grid(folder, own),
    )


def own_settings(card: ModelCard) -> dict[str, Any]:
    """What `OWN_KEY` of a configuration holds: the part of the card that transformers has no place for."""
    return {
        "trained": sorted(card.trained),
        "image_mean": list(card.mean),
        "image_std": list(card.std),
        "licence": card.licence,
        "draws_prompts": card.draws_prompts,
        "recalls_by_matching": card.recalls_by_matching,
        "grid": dict(vars(card.grid)),
    }


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        InputError: missing, too large, not JSON or not an object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise InputError(f"{path}: larger than {MAX_JSON_BYTES >> 20} MiB; no model's configuration is")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content


def read_weights(folder: Path) -> "dict[str, Tensor]":
    """The state dict in the folder's safetensors file or files.

    Raises:
        InputError: no safetensors (pickled weights are refused: they can run code), or a damaged file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        try:
            state.update(load_file(path))
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: damaged or truncated ({error}); fetch it again") from error
    return state


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        shards = read_json(folder / INDEX).get("weight_map")
        names = set(shards.values()) if isinstance(shards, dict) else set()
        # Only plain names: an index must not point out of its folder.
        if names and all(isinstance(name, str) and Path(name).name == name for name in names):
            return [folder / name for name in sorted(names)]
        raise InputError(f"{folder / INDEX}: weight_map must list safetensors files of this folder")
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLE_SUFFIXES)
    if pickled:
        raise InputError(
            f"{folder}: {pickled[0]} is a pickle, which can run code, and is not read; "
            f"save the model again with save_pretrained, which writes {WEIGHTS}"
        )
    raise InputError(f"{folder}: no {WEIGHTS} in this folder; copy it next to config.json")


def _image_size(folder: Path, config: dict[str, Any]) -> int:
    prompt_encoder = config.get("prompt_encoder_config")
    prompt_encoder = prompt_encoder if isinstance(prompt_encoder, dict) else {}
    size = prompt_encoder.get("image_size") or config.get("image_size") or 1024
    if isinstance(size, list) and len(set(map(str, size))) == 1:
        size = size[0]
    if not isinstance(size, int) or not 32 <= size <= 8192 or size % 32:
        raise InputError(f"{folder}: image_size must be a square side, a multiple of 32, got {size!r}")
    return size


def _channels(
    folder: Path, settings: dict[str, Any], key: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    values = settings.get(key) or default
    is_list = isinstance(values, list | tuple) and len(values) == 3
    if not is_list or not all(isinstance(value, int | float) for value in values):
        raise InputError(f"{folder}: {key} must be three numbers, got {values!r}")
    if key == "image_std" and min(values) <= 0:
        raise InputError(f"{folder}: image_std must be above 0, got {values!r}")
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _grid(folder: Path, own: dict[str, Any]) -> GridThresholds:
    """SAM 2's thresholds where the folder says nothing."""
    values = own.get("grid") or {}
    try:
        return GridThresholds(**values)
    except (TypeError, UsageError) as error:
        raise InputError(
            f"{folder}: grid must hold predicted_iou and stability, numbers in 0..1, got {values!r}"
        ) from error
