"""What a fine-tuning changed of one model, as a file: tensors, and a card that says where they come from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.atomic import write_bytes
from kiridashi.data.tensors import read_tensors
from kiridashi.models.delta.parts import LORA_DOWN, LORA_UP, TunedPart, check_part

FORMAT = "kiridashi-delta-1"
KEY = "kiridashi"


@dataclass(frozen=True)
class DeltaCard:
    """Where a delta comes from and what it brought.

    Attributes:
        part: of the model that was tuned.
        model: name of the model.
        fingerprint: of all its weights before, see `model_fingerprint`.
        rank: of a LoRA, whose product is scaled by `alpha / rank`; 0 for the other parts.
        alpha: see rank.
        pictures: that it was tuned on, those held aside not counted.
        settings: of the tuning, as JSON.
        gain: what it brought on the pictures held aside, as JSON.
    """

    part: TunedPart
    model: str
    fingerprint: str
    rank: int = 0
    alpha: float = 0.0
    pictures: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    gain: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take back what `to_dict` gave.

        Raises:
            TypeError: a field is missing or unknown.
            ValueError: a value is of the wrong kind.
            UsageError: no such part.
        """
        known = {one.name for one in fields(cls)}
        if set(values) != known:
            raise TypeError(f"fields {sorted(set(values) ^ known)} are missing or unknown")
        return cls(
            part=check_part(str(values["part"])),
            model=str(values["model"]),
            fingerprint=str(values["fingerprint"]),
            rank=int(values["rank"]),
            alpha=float(values["alpha"]),
            pictures=int(values["pictures"]),
            settings=dict(values["settings"]),
            gain=dict(values["gain"]),
        )


@dataclass(frozen=True, eq=False)
class Delta:
    """A change of one model's weights.

    Attributes:
        tensors: of the neck or the decoder the new parameters by their names in the network; of a LoRA the
            two factors of each layer, LAYER.lora_A and LAYER.lora_B. float32.
        card: where they come from.
    """

    tensors: Mapping[str, Tensor]
    card: DeltaCard

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    @property
    def digest(self) -> str:
        """SHA-256 over the tensors."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically.

        Raises:
            UsageError: the file cannot be written.
        """
        from safetensors.torch import save

        tensors = {name: tensor.detach().contiguous() for name, tensor in self.tensors.items()}
        facts = {"format": FORMAT, "card": self.card.to_dict(), "sha256": self.digest}
        write_bytes(path, save(tensors, metadata={KEY: json.dumps(facts)}), fsync=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            InputError: not such a file, or a damaged one.
        """
        tensors, metadata = read_tensors(path)
        card, promised = _facts(path, metadata)
        delta = cls(tensors, card)
        if delta.digest != promised:
            raise InputError(f"{path}: damaged, its digest is another one; adapt the model again")
        return delta

    def layers(self) -> list[str]:
        """Names of the layers that a LoRA stands beside; those whose weights change."""
        return sorted(name.removesuffix(LORA_DOWN) for name in self.tensors if name.endswith(LORA_DOWN))

    def factors(self, layer: str) -> tuple[Tensor, Tensor]:
        """(r, in[, 1, 1]) and (out, r[, 1, 1]) of one layer of a LoRA."""
        return self.tensors[layer + LORA_DOWN], self.tensors[layer + LORA_UP]


def read_facts(path: Path) -> tuple[DeltaCard, str]:
    """The card and the digest that a delta's file gives, without reading its tensors.

    Raises:
        InputError: not such a file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            metadata = dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a delta ({error}); `kiridashi adapt` writes one") from error
    return _facts(path, metadata)


def _facts(path: Path, metadata: Mapping[str, str]) -> tuple[DeltaCard, str]:
    try:
        facts = json.loads(metadata[KEY])
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}")
        return DeltaCard.from_dict(facts["card"]), str(facts["sha256"])
    except (KeyError, TypeError, ValueError, RecursionError, UsageError) as error:
        raise InputError(
            f"{path}: not a delta of this version ({error}); `kiridashi adapt` writes one"
        ) from error
