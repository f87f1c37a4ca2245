"""What clips are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.scenes.backgrounds import Backgrounds
from training.scenes.cut_outs import CutOuts
from training.scenes.maker import find_data
from training.scenes.real import Photographs
from training.video.sequences import Sequence, find_sequences


@dataclass(frozen=True)
class Material:
    """What was found on this machine for one split.

    Attributes:
        cut_outs: by source.
        backgrounds: for made-up clips.
        photographs: with masks, or None.
        sequences: real clips with masks.
    """

    cut_outs: Mapping[str, CutOuts]
    backgrounds: Backgrounds
    photographs: Photographs | None
    sequences: tuple[Sequence, ...]


def find_material(data: Path, sources: Path | None, split: str, frames: int) -> Material:
    """Everything of a split; sequences with fewer than `frames` marked frames are left out."""
    found = find_data(data, sources, split)
    sequences = find_sequences(data / "davis_train", split, frames)
    return Material(found.cut_outs, Backgrounds(found.backgrounds), found.photographs, sequences)
