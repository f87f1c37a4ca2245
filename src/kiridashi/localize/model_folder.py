"""The MODEL folder of a trained localiser: weights.safetensors and card.json; no pickles."""

import hashlib
import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_bytes, write_json
from kiridashi.data.files import check_file, one_line
from kiridashi.data.tensors import read_tensors
from kiridashi.localize.maps import Method, TrainedLocaliser
from kiridashi.localize.trained import Facts, TrainedNetwork
from kiridashi.localize.training.options import TrainingOptions
from kiridashi.models.promptable import PromptableModel

FORMAT = "kiridashi-localiser-1"
WEIGHTS, CARD = "weights.safetensors", "card.json"
MOST_CARD = 4 << 20
MOST_CLASSES = 4096
MOST_CHANNELS = 8192
MOST_NAME = 200
# The description of the tensors at the start of a safetensors file.
MOST_HEADER = 1 << 20
AGAIN = "run localize fit again"


def save_model(network: TrainedNetwork, folder: Path) -> None:
    """Write a trained network into a folder, which is made when missing; each file atomically.

    The card names the weights' checksum and is written last: a folder with weights of another run is
    refused, not misread.

    Raises:
        UsageError: a file cannot be written, or a note is not JSON.
    """
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    try:
        card = json.loads(json.dumps(_card(network.facts, tensors), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UsageError(f"the card of a model holds JSON values only: {error}") from error
    write_bytes(folder / WEIGHTS, save(tensors))
    write_json(folder / CARD, card, indent=1)


def load_network(folder: Path) -> TrainedNetwork:
    """The network of a folder, in eval mode.

    Raises:
        InputError: not such a folder, damaged, or of another version.
    """
    card_path, weights_path = folder / CARD, folder / WEIGHTS
    if not folder.is_dir():
        what = "this is a file" if folder.exists() else "there is no such folder"
        raise InputError(one_line(f"{folder}: {what}; expected a folder that localize fit has written"))
    if not card_path.exists():
        raise InputError(
            one_line(f"{folder}: no {CARD} here; expected a folder that localize fit has written")
        )
    facts, digest = _read_card(card_path)
    # Random numbers are drawn only to be overwritten; the caller's stay as they are.
    with torch.random.fork_rng(devices=[]):
        network = TrainedNetwork(facts)
    own = network.state_dict()
    try:
        check_file(weights_path, MOST_HEADER + sum(4 * prod(tensor.shape) for tensor in own.values()))
        tensors, _ = read_tensors(weights_path)
    except InputError as error:
        raise InputError(one_line(f"{folder}: its weights cannot be used, {AGAIN} ({error})")) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != wanted:
        raise InputError(f"{weights_path}: not the tensors of the network in {CARD}; {AGAIN}")
    if digest != _digest(tensors):
        raise InputError(f"{weights_path}: its checksum is not the one in {CARD}; {AGAIN}")
    network.load_state_dict(tensors)
    return network.eval()


def load(folder: Path, model: PromptableModel | None, method: Method = "gtformer") -> TrainedLocaliser:
    """A trained localiser, ready to look.

    Args:
        folder: as `save_model` writes it.
        model: that it was trained with; None for a trunk that is part of the network.
        method: whose scores and maps it gives.

    Raises:
        InputError: not such a folder, damaged, or of another version.
        UsageError: the model is missing, or its encoder is another one than that of the training.
    """
    return TrainedLocaliser(model, load_network(folder), method=method)


def _card(facts: Facts, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "trunk": facts.options.network.trunk,
        "model": {"name": facts.model, "encoder_sha256": facts.fingerprint, "channels": facts.channels},
        "classes": list(facts.classes),
        "single_label": facts.single,
        "normal_labels": list(facts.normal),
        "options": facts.options.to_dict(),
        "seed": facts.options.seed,
        "trained_on": dict(facts.pictures),
        "epochs": facts.epochs,
        "best_epochs": dict(facts.best),
        "validation": {name: dict(figures) for name, figures in facts.validation.items()},
        "thresholds": {"map": facts.map_threshold, "scores": dict(facts.score_thresholds)},
        "notes": dict(facts.notes),
        "weights_sha256": _digest(tensors),
    }


def _read_card(path: Path) -> tuple[Facts, str]:
    """The facts in a card, and the digest of the weights that it belongs to."""
    check_file(path, MOST_CARD)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise ValueError(f"format {card['format']!r}, expected {FORMAT!r}")
        return _facts(card), str(card["weights_sha256"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError, UsageError) as error:
        raise InputError(
            f"{path}: damaged, or not the card of a localiser of this version ({error}); {AGAIN}"
        ) from error


def _facts(card: Mapping[str, Any]) -> Facts:
    classes, model, thresholds = card["classes"], card["model"], card["thresholds"]
    if not isinstance(classes, list) or not 1 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"classes must be a list of 1 to {MOST_CLASSES} names")
    for name in classes:
        if not isinstance(name, str) or not 1 <= len(name) <= MOST_NAME:
            raise ValueError(f"a class is a name of 1 to {MOST_NAME} characters, got {name!r:.80}")
    if type(model["channels"]) is not int or not 1 <= model["channels"] <= MOST_CHANNELS:
        raise ValueError(f"channels must be 1 to {MOST_CHANNELS}, got {model['channels']!r:.80}")
    scores = {name: _share(thresholds["scores"][name]) for name in classes}
    return Facts(
        classes=tuple(classes),
        single=card["single_label"] is True,
        options=TrainingOptions.from_dict(card["options"]),
        channels=model["channels"],
        model=str(model["name"]),
        fingerprint=str(model["encoder_sha256"]),
        normal=tuple(str(name) for name in card["normal_labels"]),
        pictures={str(name): int(count) for name, count in card["trained_on"].items()},
        epochs=int(card["epochs"]),
        best={str(name): int(epoch) for name, epoch in card["best_epochs"].items()},
        validation={
            str(name): {str(key): float(value) for key, value in figures.items()}
            for name, figures in card["validation"].items()
        },
        score_thresholds=scores,
        map_threshold=_share(thresholds["map"]),
        notes=dict(card["notes"]),
    )


def _share(value: Any) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"a threshold is 0 to 1, got {value!r:.80}")
    return share


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
