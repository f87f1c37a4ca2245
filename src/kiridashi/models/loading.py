"""From a name to a model that runs."""

import os
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch

from kiridashi.core.errors import InputError, ModelUnavailableError
from kiridashi.models.catalogue import ModelCard, find_card
from kiridashi.models.promptable import PromptableModel

UNTRAINED_SEED = 0


@lru_cache(maxsize=2)
def load_model(name: str = "compact") -> PromptableModel:
    """The model of a catalogue name or of a local folder; loaded once a process.

    Raises:
        UsageError: no such name.
        ModelUnavailableError: its files are not on this machine and cannot be fetched.
        InputError: the folder's files do not fit together.
    """
    card = find_card(name)
    kind, _, place = card.source.partition(":")
    if kind == "package":
        return PromptableModel(_load_shipped(place), card)
    if kind == "folder":
        return PromptableModel(_load_pretrained(place, card, offline=True), card)
    return PromptableModel(_load_pretrained(place, card, offline=False), card)


def _load_shipped(file_name: str) -> Any:
    """The compact network; parts missing in the file keep seeded random weights (see the card)."""
    from safetensors.torch import load_file
    from transformers import Sam2VideoModel

    from kiridashi.models.compact.architecture import compact_config

    with torch.random.fork_rng():
        torch.manual_seed(UNTRAINED_SEED)
        net = Sam2VideoModel(compact_config())
    with as_file(files(__package__).joinpath("weights", file_name)) as path:
        state = {name: tensor.float() for name, tensor in load_file(path).items()}
    unexpected = net.load_state_dict(state, strict=False).unexpected_keys
    if unexpected:
        raise InputError(f"{file_name}: weights that the network lacks: {', '.join(unexpected[:3])} ...")
    return net


def _load_pretrained(place: str, card: ModelCard, *, offline: bool) -> Any:
    import transformers

    from kiridashi.models.compact.trunk import register_compact_trunk

    register_compact_trunk()
    loader = {"sam2": transformers.Sam2VideoModel, "edgetam": transformers.EdgeTamVideoModel}[card.family]
    try:
        return loader.from_pretrained(
            place, dtype=torch.float32, use_safetensors=True, local_files_only=offline or _is_offline()
        )
    except (OSError, ImportError) as error:
        if offline:
            raise InputError(f"{place}: {str(error).splitlines()[0]}") from error
        raise ModelUnavailableError(
            f"{card.name}: its files ({place}) are not on this machine and could not be fetched\n"
            f"with a network, type: kiridashi models fetch {card.name}"
        ) from error


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def is_cached(card: ModelCard) -> bool:
    """Whether the model's weights are on this machine."""
    kind, _, place = card.source.partition(":")
    if kind == "package":
        return files(__package__).joinpath("weights", place).is_file()
    if kind == "folder":
        return any(Path(place).glob("*.safetensors"))
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(place, "model.safetensors"), str)
