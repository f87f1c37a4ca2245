"""Model folders in the transformers format, as `save_pretrained` writes them."""

import json
from pathlib import Path
from typing import Any

from kiridashi.core.errors import InputError
from kiridashi.models.catalogue import ModelCard

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FAMILIES = {"sam2": "sam2", "sam2_video": "sam2", "edgetam": "edgetam", "edgetam_video": "edgetam"}


def card_of_folder(folder: Path) -> ModelCard:
    """A card from the folder's configuration files.

    Raises:
        InputError: the configuration is not JSON or not of the SAM 2 family.
    """
    config = _read_json(folder / "config.json")
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        raise InputError(
            f"{folder}: model_type {config.get('model_type')!r} is not of the SAM 2 family ({', '.join(FAMILIES)})"
        )
    processor = folder / "preprocessor_config.json"
    settings = _read_json(processor) if processor.is_file() else {}
    prompt_encoder = config.get("prompt_encoder_config") or {}
    return ModelCard(
        name=str(folder),
        summary="a local folder",
        family=family,
        source=f"folder:{folder}",
        licence="unknown",
        parameters=0,
        image_size=int(prompt_encoder.get("image_size") or config.get("image_size") or 1024),
        mean=tuple(settings.get("image_mean") or IMAGENET_MEAN),
        std=tuple(settings.get("image_std") or IMAGENET_STD),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(content).__name__}")
    return content
