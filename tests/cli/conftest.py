"""A site of discs on grey, and quick replacements of what is learned: these tests are of the commands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from PIL import Image

from kiridashi.cli import main
from kiridashi.core.geometry.components import split_components
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.core.segments import Segment, Segments, Verdict
from kiridashi.models.catalogue import find_card
from kiridashi.models.promptable import PromptableModel

RED = (200, 40, 40)
Disc = tuple[int, int, int]


def draw(discs: Sequence[Disc], size: tuple[int, int] = (60, 80)) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and mask of red discs (x, y, radius) on grey."""
    rows, cols = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, dtype=bool)
    for x, y, radius in discs:
        mask |= (cols - x) ** 2 + (rows - y) ** 2 <= radius**2
    pixels = np.full((*size, 3), 120, dtype=np.uint8)
    pixels[mask] = RED
    return pixels, mask


class RedThings:
    """Finds what is as red as the references."""

    predicted: ClassVar[list[str]] = []
    options: ClassVar[dict[str, Any]] = {}
    interrupt_after: ClassVar[int | None] = None

    def __init__(self, name: str, model: Any, **options: Any) -> None:
        self.name = name
        RedThings.options = options
        RedThings.predicted = []

    def fit(self, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        self.colour_ = np.mean([r.picture.pixels[r.mask.to_array()].mean(axis=0) for r in references], axis=0)
        return self

    def predict(self, picture: Picture) -> Segments:
        if RedThings.interrupt_after is not None and len(RedThings.predicted) >= RedThings.interrupt_after:
            raise KeyboardInterrupt
        RedThings.predicted.append(picture.name)
        if picture.name.startswith("defect"):
            raise RuntimeError("nobody expected this")
        near = np.abs(picture.pixels - self.colour_).max(axis=2) < 30
        score = min(1.0, near.mean() * 20)
        parts = split_components(near) if RedThings.options["instances"] else [Mask.from_array(near)]
        items = tuple(Segment(part, 0.9, "object") for part in parts if not part.is_empty)
        verdict = Verdict(score > 0.5, score, 0.5) if RedThings.options["verdict"] else None
        return Segments(picture.size, items, verdict, {"method": self.name, "refinement": "by eye"})


@dataclass
class Site:
    """Paths of a small site.

    Attributes:
        root: the folder of it all.
        photos: the folder of targets: `one` and `two` discs, and `none`.
    """

    root: Path
    photos: Path

    def write(self, name: str, discs: Sequence[Disc]) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(discs)[0]).save(path)
        return path

    def segment(self, *more: str, out: str = "out") -> list[str]:
        """The words of a plain `segment` command."""
        reference, mask = str(self.root / "part.png"), str(self.root / "part_mask.png")
        words = ["segment", "--reference", reference, "--mask", mask, "--out", str(self.root / out)]
        return [*words, *more] if more else [*words, str(self.photos)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, tmp_path / "photos")
    pixels, mask = draw([(40, 30, 12)])
    Image.fromarray(pixels).save(tmp_path / "part.png")
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "part_mask.png")
    made.write("photos/one.png", [(20, 20, 10)])
    made.write("photos/two.png", [(20, 20, 10), (60, 40, 11)])
    made.write("photos/none.png", [])
    return made


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[RedThings]:
    """`RedThings` in place of every method, and a model that is only a card."""
    model = SimpleNamespace(card=find_card("compact"))
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: model)
    monkeypatch.setattr("kiridashi.reference.methods.make_method", RedThings)
    monkeypatch.setattr(RedThings, "interrupt_after", None)
    return RedThings


@pytest.fixture
def random_model(monkeypatch: pytest.MonkeyPatch, tiny_compact: PromptableModel) -> PromptableModel:
    """A small network of random weights in place of every model."""
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: tiny_compact)
    return tiny_compact


@pytest.fixture
def untrained_model(monkeypatch: pytest.MonkeyPatch, random_model: PromptableModel) -> PromptableModel:
    """As random_model, but only its image encoder may be relied on."""
    card = replace(random_model.card, trained=frozenset({"image_encoder"}))
    model = PromptableModel(random_model.net, card)
    monkeypatch.setattr("kiridashi.models.loading.load_model", lambda name: model)
    return model


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Run a command line in this process: code, out, err."""

    def call(*words: str) -> SimpleNamespace:
        capsys.readouterr()
        code = main(words)
        told = capsys.readouterr()
        return SimpleNamespace(code=code, out=told.out, err=told.err)

    return call
