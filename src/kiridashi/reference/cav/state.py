"""A fitted `cav` in one file: the references, the tuned neck, the rule of the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.delta import NeckDelta
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.answer import AnswerRule
from kiridashi.reference.cav.options import CavOptions
from kiridashi.reference.saving import load_state, save_state

NECK = "neck."


@dataclass(frozen=True, eq=False)
class CavState:
    """What `cav` learns.

    Attributes:
        references: as given to `fit`.
        delta: the tuned neck, if a bridge wants one.
        rule: of the verdict and the split into instances.
        bridge: chosen for the site; "" when each picture is asked.
    """

    references: Sequence[Reference]
    delta: NeckDelta | None
    rule: AnswerRule
    bridge: str = ""


def save(path: Path, name: str, state: CavState, model: PromptableModel, options: CavOptions) -> None:
    """Write a state, atomically."""
    tensors: dict[str, Tensor] = {}
    for index, one in enumerate(state.references):
        tensors[f"reference.{index}.pixels"] = torch.from_numpy(one.picture.pixels.copy())
        tensors[f"reference.{index}.mask"] = torch.from_numpy(one.mask.to_array())
    facts: dict[str, Any] = {
        "model": model.card.name,
        "options": options.to_dict(),
        "names": [one.picture.name for one in state.references],
        "rule": state.rule.facts(),
        "bridge": state.bridge,
        "neck": None,
    }
    if state.delta is not None:
        tensors |= {NECK + key: value for key, value in state.delta.tensors.items()}
        facts["neck"] = {
            "model": state.delta.model,
            "fingerprint": state.delta.fingerprint,
            "options": state.delta.options.to_dict(),
            "references": list(state.delta.references),
            "losses": list(state.delta.losses),
        }
    save_state(path, name, tensors, facts)


def load(path: Path, name: str, model: PromptableModel, options: CavOptions) -> CavState:
    """Read what `save` wrote.

    Raises:
        InputError: not such a file, a damaged one, or one made with another model or other options.
    """
    tensors, facts = load_state(path, name)
    if facts.get("model") != model.card.name or facts.get("options") != options.to_dict():
        raise InputError(
            f"{path}: was made by {facts.get('model')} with options of its own; load it with the same "
            "model and the same options, or fit the references again"
        )
    try:
        names: Any = facts["names"]
        references = [_reference(tensors, index, str(one)) for index, one in enumerate(names)]
        described: Any = facts["neck"]
        delta = None if described is None else _delta(tensors, described)
        rule: Any = facts["rule"]
        learned = CavState(references, delta, AnswerRule.from_facts(rule), str(facts["bridge"]))
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise InputError(f"{path}: damaged ({error}); fit the references again") from error
    if delta is not None:
        delta.check(model)
    return learned


def _reference(tensors: Mapping[str, Tensor], index: int, name: str) -> Reference:
    pixels, inside = (tensors[f"reference.{index}.{field}"].numpy() for field in ("pixels", "mask"))
    return Reference(Picture(pixels.astype(np.uint8), name), Mask.from_array(inside))


def _delta(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> NeckDelta:
    return NeckDelta(
        {key.removeprefix(NECK): value for key, value in tensors.items() if key.startswith(NECK)},
        str(facts["model"]),
        str(facts["fingerprint"]),
        AlignmentOptions.from_dict(facts["options"]),
        tuple(map(str, facts["references"])),
        tuple(map(float, facts["losses"])),
    )
