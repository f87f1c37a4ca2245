"""Write the fitted fusion network into the package, in half precision.

python -m training.prior.export --run runs/prior/fit
"""

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

TARGET = Path(__file__).parents[2] / "src" / "kiridashi" / "reference" / "prior" / "fusion.safetensors"


def main() -> None:
    """Export the run's best weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    state = torch.load(arguments.run / "best.pt", weights_only=True)
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, arguments.out)
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"{arguments.out.name}: {arguments.out.stat().st_size / 1e3:.0f} kB, sha256 {digest}")


if __name__ == "__main__":
    main()
