"""Digests of weights: equal ones make equal features, or equal masks, of equal pictures."""

import hashlib

import torch
from torch import nn

from kiridashi.models.catalogue import ModelCard
from kiridashi.models.promptable import PromptableModel


def encoder_fingerprint(model: PromptableModel) -> str:
    """SHA-256 over the encoder's weights as they are now and the card's input settings.

    Taken of the weights themselves, because a card of a hub model or of a folder has no digest. Costs
    well under a second but for the largest models.
    """
    return _digest(model.card, model.net.vision_encoder)


def model_fingerprint(model: PromptableModel) -> str:
    """SHA-256 over all weights of a model and its card's settings of input and prompts.

    Equal ones draw equal masks of equal pictures.
    """
    return _digest(model.card, model.net, f" {model.card.draws_prompts}")


def _digest(card: ModelCard, part: nn.Module, more: str = "") -> str:
    digest = hashlib.sha256(f"{card.image_size} {card.mean} {card.std}{more}".encode())
    for name, tensor in sorted(part.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
