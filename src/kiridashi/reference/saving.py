"""A fitted method's state in one safetensors file: no pickles, written atomically."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.data.atomic import atomic_path

FORMAT = "kiridashi-method-1"


def save_state(path: Path, method: str, tensors: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Write tensors and small JSON facts.

    Args:
        path: the file.
        method: name of the method, checked when loading.
        tensors: the learned state.
        facts: JSON values beside it.
    """
    from safetensors.torch import save_file

    metadata = {"format": FORMAT, "method": method, "facts": json.dumps(dict(facts))}
    with atomic_path(path) as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata=metadata
        )


def load_state(path: Path, method: str) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read what `save_state` wrote.

    Raises:
        InputError: not such a file, or one of another method.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        facts = json.loads(metadata.get("facts", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a saved method ({error})") from error
    if metadata.get("format") != FORMAT or metadata.get("method") != method:
        kind = metadata.get("method", "something else")
        raise InputError(f"{path}: holds {kind}, expected a saved {method!r} method of this version")
    return tensors, facts
