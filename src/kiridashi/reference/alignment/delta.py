"""A tuned neck as a thing of its own: put into its model for a while, saved, loaded."""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import atomic_path
from kiridashi.models.fingerprint import encoder_fingerprint
from kiridashi.models.promptable import PromptableModel
from kiridashi.reference.alignment.options import AlignmentOptions

FORMAT = "kiridashi-neck-1"
KEY = "kiridashi"


@dataclass(frozen=True, eq=False)
class NeckDelta:
    """The neck of one model, tuned on one set of references.

    Attributes:
        tensors: every parameter of the tuned neck by its name in the neck, float32.
        model: name of the model's card.
        fingerprint: digest of the untuned encoder, see `encoder_fingerprint`.
        options: that it was tuned with.
        references: digests of the references, sorted.
        losses: of each step taken, in order.
    """

    tensors: Mapping[str, Tensor]
    model: str
    fingerprint: str
    options: AlignmentOptions
    references: tuple[str, ...]
    losses: tuple[float, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters of the neck."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    @contextmanager
    def applied(self, model: PromptableModel) -> Iterator[PromptableModel]:
        """The model with the tuned neck, inside the block; afterwards it is as before, come what may.

        Pictures that the model has encoded are encoded anew inside the block, and known again after
        it. Not for a model that several threads use at the same time.

        Raises:
            InputError: the neck was tuned for another model, or the model has a tuned neck already.
        """
        self.check(model)
        neck = copy.deepcopy(model.net.vision_encoder.neck)
        neck.load_state_dict(dict(self.tensors), strict=True)
        with model.with_neck(neck):
            yield model

    def check(self, model: PromptableModel) -> None:
        """Make sure that this neck belongs to a model.

        Raises:
            InputError: it does not.
        """
        wanted = {name: one.shape for name, one in model.net.vision_encoder.neck.state_dict().items()}
        has = {name: one.shape for name, one in self.tensors.items()}
        if has != wanted or encoder_fingerprint(model) != self.fingerprint:
            raise InputError(
                f"this neck was tuned for {self.model}; the image encoder of {model.card.name} here is "
                "another one, or holds a tuned neck already; tune it on the references again"
            )

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically.

        Raises:
            UsageError: the file cannot be written.
        """
        from safetensors.torch import save_file

        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        facts = {
            "format": FORMAT,
            "model": self.model,
            "fingerprint": self.fingerprint,
            "options": self.options.to_dict(),
            "references": list(self.references),
            "losses": list(self.losses),
            "sha256": _digest(tensors),
        }
        # One entry: safetensors writes several in an order of chance, and equal necks should be equal files.
        metadata = {KEY: json.dumps(facts)}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    @classmethod
    def load(cls, path: Path, model: PromptableModel | None = None) -> Self:
        """Read what `save` wrote.

        Args:
            path: the file.
            model: that the neck must belong to; None: checked when it is applied.

        Raises:
            InputError: not such a file, a damaged one, or one for another model.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                described = (file.metadata() or {}).get(KEY, "")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: not a tuned neck ({error}); tune it again") from error
        try:
            facts = json.loads(described)
            if facts["format"] != FORMAT or facts["sha256"] != _digest(tensors):
                raise ValueError("its format or its checksum is not the expected one")
            options = AlignmentOptions.from_dict(facts["options"])
            references = tuple(map(str, facts["references"]))
            losses = tuple(map(float, facts["losses"]))
            delta = cls(tensors, facts["model"], facts["fingerprint"], options, references, losses)
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise InputError(
                f"{path}: damaged, or not a tuned neck of this version ({error}); tune it again"
            ) from error
        if model is not None:
            delta.check(model)
        return delta


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
