"""A digest of an image encoder: equal ones make equal features of equal pictures."""

import hashlib

import torch

from kiridashi.models.promptable import PromptableModel


def encoder_fingerprint(model: PromptableModel) -> str:
    """SHA-256 over the encoder's weights as they are now and the card's input settings.

    Taken of the weights themselves, because a card of a hub model or of a folder has no digest. Costs
    well under a second but for the largest models.
    """
    card = model.card
    digest = hashlib.sha256(f"{card.image_size} {card.mean} {card.std}".encode())
    for name, tensor in sorted(model.net.vision_encoder.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
