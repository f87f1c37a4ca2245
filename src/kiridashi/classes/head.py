"""The embedding head: what base training has learned to make of the pooled trunk maps.

A residual on the plain embedding (the layers are those of SAM-IF's classifier as this project reads it:
layer norm, linear, GELU, linear, unit length). The last layer starts at zero, so that an untrained head is
the identity and training can only leave it for something that has proved better.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiridashi.core.errors import InputError

FORMAT = "kiridashi-head-1"
KEY = "kiridashi"
HIDDEN = 256
TRAIN_AGAIN = "run base training again with this model, or leave the head out"


@dataclass(frozen=True)
class HeadFacts:
    """What must be known of a head.

    Attributes:
        eye: fingerprint of the plain `Embedder` whose embeddings it takes.
        model: name of that eye's model.
        notes: JSON values: what it was trained on, and the accuracies before and after.
    """

    eye: str
    model: str
    notes: Mapping[str, Any] = field(default_factory=dict)


class Head(nn.Module):
    """(N, D) embeddings to (N, D) better ones of unit length.

    Args:
        width: D.
        facts: which eye it belongs to.
        hidden: width between the two linear layers.

    Attributes:
        file: that it was read from; None: it was made here.
    """

    def __init__(self, width: int, facts: HeadFacts, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.width, self.hidden, self.facts = width, hidden, facts
        self.file: Path | None = None
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Equal embeddings of any length come out equal: only the direction counts."""
        unit = F.normalize(embeddings, dim=1)
        changed = self.narrow(F.gelu(self.widen(self.norm(unit))))
        return F.normalize(unit + changed, dim=1)

    def check(self, eye: str, width: int) -> None:
        """Make sure that the head belongs to an eye.

        Args:
            eye: fingerprint of the plain embedder.
            width: of its embeddings.

        Raises:
            InputError: the head was trained on embeddings of another width or of another eye.
        """
        if width != self.width:
            raise InputError(
                f"this head takes embeddings of width {self.width}, the model here gives {width}; "
                f"{TRAIN_AGAIN}"
            )
        if eye != self.facts.eye:
            raise InputError(
                f"this head was trained on what {self.facts.model} saw then (eye {self.facts.eye[:12]}); "
                f"the trunk or the input of the model here is another one (eye {eye[:12]}); {TRAIN_AGAIN}"
            )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file of half precision, atomically.

        Raises:
            UsageError: the file cannot be written.
        """
        from safetensors.torch import save

        from kiridashi.data.atomic import write_bytes

        tensors = {name: tensor.half().contiguous() for name, tensor in self.state_dict().items()}
        facts = {
            "format": FORMAT,
            "width": self.width,
            "hidden": self.hidden,
            "eye": self.facts.eye,
            "model": self.facts.model,
            "notes": dict(self.facts.notes),
            "sha256": _digest(tensors),
        }
        # One entry: safetensors writes several in an order of chance, and equal heads should be equal files.
        write_bytes(path, save(tensors, metadata={KEY: json.dumps(facts)}))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; in eval mode.

        Raises:
            InputError: not such a file, or a damaged one.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                described = (file.metadata() or {}).get(KEY, "")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: not a head file ({error}); run base training again") from error
        try:
            head = cls._from(json.loads(described), tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{path}: damaged, or not a head of this version ({error}); run base training again"
            ) from error
        head.file = Path(path).absolute()
        return head

    @classmethod
    def _from(cls, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        if facts["format"] != FORMAT or facts["sha256"] != _digest(tensors):
            raise ValueError("its format or its checksum is not the expected one")
        described = HeadFacts(str(facts["eye"]), str(facts["model"]), dict(facts["notes"]))
        # Random numbers are drawn only to be overwritten; the caller's stay as they are.
        with torch.random.fork_rng(devices=[]):
            head = cls(facts["width"], described, facts["hidden"])
        head.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return head.eval()


def load_head(path: str | Path) -> Head:
    """The head of a file, ready for `Embedder(model, head=...)`.

    Raises:
        InputError: not a head file, or a damaged one.
    """
    return Head.load(path)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
