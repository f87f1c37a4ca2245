"""Make the package's files of the compact diffusion model from a run's weights, and print their sha256.

    python -m training.transition.ship runs/compact/transition/best.safetensors

Writes compact.safetensors (float16) and compact.json (the design and the sha256 of the weights).
"""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from kiridashi.core.errors import InputError
from kiridashi.data.atomic import write_bytes, write_text
from kiridashi.reference.transition.design import Design, design_to_json, make_unet, shipped_folder

LARGEST_BYTES = 6_000_000
LICENCE = "Apache-2.0"


def shipped_bytes(state: Mapping[str, Tensor], design: Design | None = None) -> bytes:
    """The weights' file: every tensor of the design's network as float16, in the order of their names.

    Raises:
        InputError: the weights are not of the design, do not fit into float16, or are too many.
    """
    expected = {name: value.shape for name, value in make_unet(design).state_dict().items()}
    if {name: value.shape for name, value in state.items()} != expected:
        raise InputError("these weights are not of the design; take best.safetensors of a transition run")
    halves = {name: state[name].half().contiguous() for name in sorted(state)}
    for name, value in halves.items():
        if not torch.isfinite(value).all():
            raise InputError(f"{name}: not finite in float16; train with a lower rate")
    content = save(halves, metadata={"format": "pt"})
    if len(content) > LARGEST_BYTES:
        raise InputError(f"{len(content):,} bytes; the package takes at most {LARGEST_BYTES:,}")
    return content


def main(arguments: list[str] | None = None) -> None:
    """Write both files and print size and sha256."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="safetensors from a run's folder")
    parser.add_argument("--out", type=Path, default=shipped_folder(), help="default: the package's folder")
    options = parser.parse_args(arguments)
    content = shipped_bytes(load_file(options.weights))
    digest = hashlib.sha256(content).hexdigest()
    write_bytes(options.out / "compact.safetensors", content)
    write_text(options.out / "compact.json", design_to_json(Design(), sha256=digest, licence=LICENCE))
    print(f"{options.out / 'compact.safetensors'}: {len(content) / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
