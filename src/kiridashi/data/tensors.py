"""Read the tensors and the metadata of a file of our own."""

from pathlib import Path

from torch import Tensor

from kiridashi.core.errors import InputError


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the metadata, of a safetensors file.

    Raises:
        InputError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            return tensors, dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: damaged ({error}); remove it and run again") from error
