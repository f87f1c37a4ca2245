"""Test-time geometric alignment (TTGA): the neck of an image encoder tuned on the references alone.

CAV-SAM's recipe: the trunk is frozen, only the neck learns, by Adam over a short cosine schedule, from
one augmented copy of a reference a step. No target picture is looked at, so that one tuning serves all
targets of a set of references.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kiridashi.core.reference import Reference
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.neck import neck_map
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.copies import Copies, see
from kiridashi.reference.alignment.delta import NeckDelta
from kiridashi.reference.alignment.early_stop import EarlyStop
from kiridashi.reference.alignment.losses import alignment_loss
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.alignment.references import in_order

Progress = Callable[[int, int], None]


def tune_neck(
    model: PromptableModel,
    references: Sequence[Reference],
    options: AlignmentOptions | None = None,
    progress: Progress | None = None,
) -> NeckDelta:
    """Tune a copy of the model's neck; the model itself is never touched.

    With K references each step takes the next one in turn, so that the cost does not grow with K. The
    result does not depend on the order in which they are given.

    Args:
        model: any of the SAM 2 family, with a trained image encoder.
        references: K >= 1, of any sizes.
        options: None: the published settings.
        progress: told (steps done, steps in all) after each step; an early stop ends before the last.

    Raises:
        UsageError: no reference, or an untrained encoder.
        InputError: a reference mask that is empty or covers its picture.
    """
    options = options or AlignmentOptions()
    model.require("image_encoder", "alignment")
    digests, shown = zip(*in_order(references), strict=True)
    # Callers may be in inference mode, whose tensors cannot be learned from.
    with torch.inference_mode(False), torch.enable_grad():
        neck = copy.deepcopy(model.net.vision_encoder.neck).requires_grad_(True)
        losses = _descend(neck, model, shown, options, progress)
    tensors = {name: tensor.detach().clone() for name, tensor in neck.named_parameters()}
    fingerprint = encoder_fingerprint(model)
    return NeckDelta(tensors, model.card.name, fingerprint, options, tuple(digests), tuple(losses))


def _descend(
    neck: Any,
    model: PromptableModel,
    references: Sequence[Reference],
    options: AlignmentOptions,
    progress: Progress | None,
) -> list[float]:
    """Tune `neck` in place; the loss of each step."""
    # Parameters that the loss does not reach get no gradient and stay: weight decay leaves them alone.
    optimiser = torch.optim.Adam(
        neck.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=options.steps)
    originals = [see(model, one.picture, one.mask, options) for one in references]
    copies = Copies(model, references, options)
    stop = EarlyStop(options.patience)
    losses: list[float] = []
    for step in range(options.steps):
        original, augmented = originals[step % len(originals)], copies.take(step)
        reference, moved = (neck_map(neck, seen.maps)[0] for seen in (original, augmented))
        loss = alignment_loss(
            reference,
            moved,
            original.truth,
            augmented.truth,
            loss=options.loss,
            temperature=options.temperature,
        )
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, options.steps)
        if stop.update(losses[-1]):
            break
    return losses
