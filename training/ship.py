"""Make the weights file of the package from those of a run, and print its sha256.

    python -m training.ship runs/compact/image_large/best.safetensors

The sha256 belongs into the catalogue (models/catalogue.toml) and the model card (docs/models/compact.md).
"""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.data.atomic import write_bytes
from kiridashi.models.catalogue import find_card
from kiridashi.models.fetching import shipped_file
from training.network import is_trunk

LARGEST_BYTES = 24_000_000


def shipped_bytes(state: Mapping[str, Tensor], trunk: Mapping[str, Tensor]) -> bytes:
    """The file's content: every weight as float16, in the order of their names.

    Args:
        state: the whole network after training.
        trunk: weights of the package's file so far, whose trunk must not have changed: the fusion
            network of `prototype` was fitted to its features.

    Raises:
        InputError: the trunk differs, a weight does not fit into float16, or the file is too large.
    """
    halves = {name: state[name].half().contiguous() for name in sorted(state)}
    for name, value in halves.items():
        if not value.isfinite().all():
            raise InputError(f"{name}: not finite in float16; train with a lower rate")
    changed = [
        name for name, value in trunk.items() if is_trunk(name) and not _equal(halves.get(name), value)
    ]
    if changed:
        raise InputError(
            f"the trunk changed ({changed[0]}); fit the fusion network to it first (training.prior) "
            "and fold it into the package's file"
        )
    content = save(halves, metadata={"format": "pt"})
    if len(content) > LARGEST_BYTES:
        raise InputError(f"{len(content):,} bytes; the package takes at most {LARGEST_BYTES:,}")
    return content


def _equal(one: Tensor | None, other: Tensor) -> bool:
    return one is not None and torch.equal(one, other.half())


def main(arguments: list[str] | None = None) -> None:
    """Write the file and print its size and sha256."""
    target = shipped_file(find_card("compact"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="safetensors of the whole network, from a run's folder")
    parser.add_argument("--out", type=Path, default=target, help="default: the file in the package")
    options = parser.parse_args(arguments)
    content = shipped_bytes(load_file(options.weights), load_file(target))
    write_bytes(options.out, content)
    print(f"{options.out}: {len(content) / 1e6:.1f} MB, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
