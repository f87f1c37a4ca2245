"""From a picture to the network's input, equal to the library's processors without torchvision."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.core.picture import Picture
from kiridashi.models.catalogue import ModelCard


def to_input(picture: Picture, card: ModelCard) -> Tensor:
    """(1, 3, S, S) float32: resized to the square (proportions are not kept), scaled, normalised.

    The resize runs on 8-bit pixels with antialiasing, like transformers' `Sam2ImageProcessor`.
    """
    pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1)[None]
    side = (card.image_size, card.image_size)
    if pixels.shape[-2:] != side:
        pixels = F.interpolate(pixels, size=side, mode="bilinear", antialias=True)
    mean = torch.tensor(card.mean).view(1, 3, 1, 1)
    std = torch.tensor(card.std).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std
