"""From a name to a model that runs."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from kiridashi.core.errors import InputError, ModelUnavailableError
from kiridashi.models.catalogue import DEFAULT_MODEL, ModelCard, find_card, split_name
from kiridashi.models.fetching import cached_folder, fetch_card, shipped_file
from kiridashi.models.folder import own_settings, read_json, read_weights
from kiridashi.models.promptable import PromptableModel


@lru_cache(maxsize=2)
def load_model(name: str = DEFAULT_MODEL) -> PromptableModel:
    """The model of a catalogue name or of a local folder; loaded once a process.

    A hub model that is not on this machine is fetched first. `NAME@DELTA` is the model with a delta in it,
    with a network of its own.

    Raises:
        UsageError: no such name.
        ModelUnavailableError: its files are not on this machine and cannot be fetched.
        InputError: the files are damaged or do not fit together.
    """
    base, delta = split_name(name)
    if delta is not None:
        from kiridashi.models.delta import apply_delta, open_delta

        return apply_delta(_load(base), open_delta(delta)).model
    return _load(name)


def compact_eye(model: PromptableModel) -> PromptableModel:
    """The model whose trunk tells classes apart: the one given if it sees as compact does, else compact."""
    return model if model.card.sees_as_shipped else load_model(DEFAULT_MODEL)


def _load(name: str) -> PromptableModel:
    card = find_card(name)
    if card.kind == "package":
        return PromptableModel(_load_shipped(card), card)
    if card.kind == "folder":
        return PromptableModel(load_folder(Path(card.place), card), card)
    folder = cached_folder(card) or fetch_card(card, progress=True)
    return PromptableModel(load_folder(folder, card), card)


def load_folder(folder: Path, card: ModelCard) -> Any:
    """The network of a folder in the transformers format, float32, in eval mode.

    A network for videos is built when the configuration is one, else that for single pictures, which
    has no memory.

    Raises:
        InputError: no safetensors, a damaged file, or weights that do not fit the configuration.
    """
    import transformers

    from kiridashi.models.compact.trunk import register_compact_trunk
    from kiridashi.models.edgetam.checkpoint import with_own_trunk
    from kiridashi.models.edgetam.repvit import register_repvit_trunk

    raw, state = read_json(folder / "config.json"), read_weights(folder)
    register_compact_trunk()
    register_repvit_trunk()
    stem = {"sam2": "Sam2", "edgetam": "EdgeTam"}[card.family]
    # Every model of the hub in the catalogue is one for videos; a folder says what it is.
    has_memory = card.kind == "hub" or str(raw.get("model_type")).endswith("_video")
    stem += "Video" if has_memory else ""
    net_class, config_class = getattr(transformers, f"{stem}Model"), getattr(transformers, f"{stem}Config")
    raw, state = with_own_trunk(raw, state)
    # A quantisation would pull in further libraries; weights are read as they are.
    raw.pop("quantization_config", None)
    try:
        with quiet():
            net, report = net_class.from_pretrained(
                None,
                config=config_class.from_dict(raw),
                state_dict=state,
                dtype=torch.float32,
                output_loading_info=True,
            )
    # What a wrong configuration raises inside transformers is open-ended; all of it is the folder's fault.
    except Exception as error:
        raise InputError(f"{folder}: the weights do not fit config.json ({_first_line(error)})") from error
    # With memory, transformers keeps silent about weights of the memory that it leaves out.
    unexpected = state.keys() - net.state_dict().keys() if has_memory else report["unexpected_keys"]
    _check_fit(folder, report["missing_keys"], unexpected)
    return net


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars and advice off the user's terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def read_shipped(card: ModelCard) -> bytes:
    """The bytes of a shipped weights file, checked against the card's sha256.

    Raises:
        ModelUnavailableError: the file is missing.
        InputError: the file is not what was shipped.
    """
    path = shipped_file(card)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelUnavailableError(f"{path}: cannot be read ({error.strerror})\n{_REINSTALL}") from error
    # About 0.5 ms a megabyte, against seconds for importing the libraries: cheap enough for every load.
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise InputError(f"{path}: damaged, its sha256 is not that of the catalogue\n{_REINSTALL}")
    return content


_REINSTALL = "to repair the package, type: pip install --force-reinstall --no-deps kiridashi"


def _load_shipped(card: ModelCard) -> Any:
    """The compact network."""
    from safetensors.torch import load
    from transformers import Sam2VideoModel

    from kiridashi.models.compact.architecture import compact_config

    state = {name: tensor.float() for name, tensor in load(read_shipped(card)).items()}
    # Random numbers are drawn only to be overwritten; the caller's stay as they are.
    with quiet(), torch.random.fork_rng(devices=[]):
        net = Sam2VideoModel(compact_config(card.image_size))
    net.config.kiridashi = own_settings(card)
    found = net.load_state_dict(state, strict=False)
    for names in (found.missing_keys, found.unexpected_keys):
        if names:
            raise InputError(f"{card.place}: does not fit the network of this version: {_some(names)}")
    return net


def _check_fit(place: Path, missing: Iterable[str], unexpected: Iterable[str]) -> None:
    for names, says in ((missing, "lacks weights"), (unexpected, "has weights the network lacks")):
        if names:
            raise InputError(f"{place}: does not fit config.json, {says}: {_some(names)}")


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
