from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kiridashi.classes.base_training import Sample
from kiridashi.classes.base_training import gathering as module
from kiridashi.classes.base_training.gathering import DRAWN, MARKED, Gathered, gather
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.base_training.sampling import BACKGROUND
from kiridashi.classes.embedding import Embedder
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.data.annotations import LabelledMask
from kiridashi.models.promptable import PromptableModel

from .material import SIZE, Discs, Killed, Killing, content, disc_at, ignore

PLAIN = BaseOptions(points=0)


def gathered(
    model: PromptableModel, dataset: Discs, folder: Path | None = None, options: BaseOptions = PLAIN
) -> Gathered:
    return gather(model, Embedder(model, None), dataset, options, ignore, folder)


def equal(one: Gathered, other: Gathered) -> bool:
    keys = ("embeddings", "labels", "pictures", "origins")
    same = all(torch.equal(getattr(one, key), getattr(other, key)) for key in keys)
    return same and one.names == other.names


def test_marked_masks_come_with_their_class(tiny_compact: PromptableModel) -> None:
    dataset = Discs(5, classes=3)
    found = gathered(tiny_compact, dataset)
    assert found.names == ("a", "b", "c")
    assert found.labels.tolist() == [0, 1, 2, 0, 1]
    assert found.pictures.tolist() == list(range(5))
    assert (found.origins == MARKED).all()
    sample = dataset[3]
    expected = Embedder(tiny_compact, None).embed_sample(sample.picture, sample.objects[0].mask)
    torch.testing.assert_close(found.embeddings[3], expected)


def test_a_killed_run_ends_as_an_uninterrupted_one(
    tiny_compact: PromptableModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    whole = gathered(tiny_compact, Discs(5, classes=4))
    with pytest.raises(Killed):
        gather(
            tiny_compact,
            Embedder(tiny_compact, None),
            Discs(5, classes=4),
            PLAIN,
            Killing("embedding", 3),
            tmp_path,
        )
    assert len(content(tmp_path)) == 1
    dataset = Discs(5, classes=4)
    assert equal(gathered(tiny_compact, dataset, tmp_path), whole)
    assert dataset.asked == 3
    assert equal(gathered(tiny_compact, dataset, tmp_path), whole)
    assert dataset.asked == 3


def test_a_damaged_file_is_told(tiny_compact: PromptableModel, tmp_path: Path) -> None:
    gathered(tiny_compact, Discs(2), tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"torn")
    with pytest.raises(InputError, match="remove it and run again"):
        gathered(tiny_compact, Discs(2), tmp_path)


class Answers:
    """Takes the decoder's place: draws what is asked for at each point."""

    def __init__(self, draw: Callable[[float, float], Mask]) -> None:
        self._draw = draw

    def __call__(self, _features: object, prompts: list[object]) -> "Answers":
        self._points = [prompt.points[0] for prompt in prompts]  # type: ignore[attr-defined]
        assert {label for _, _, label in self._points} == {1}
        return self

    def mask(self, number: int) -> Mask:
        x, y, _ = self._points[number]
        return self._draw(x, y)


def test_drawn_masks_count_where_they_show_what_was_asked_for(
    make_compact: Callable[..., PromptableModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, dataset = make_compact(), Discs(1)
    disc = dataset[0].objects[0].mask
    options = BaseOptions(points=16)
    covered = disc.to_array()

    def exact(x: float, y: float) -> Mask:
        return disc if covered[int(y), int(x)] else Mask.from_array(disc_at(y, x, 3))

    monkeypatch.setattr(model, "decode", Answers(exact))
    found = gathered(model, dataset, options=options)
    assert found.origins.tolist() == [MARKED] + [DRAWN] * 16
    assert found.labels.tolist() == [0] * 9 + [BACKGROUND] * 8
    torch.testing.assert_close(found.embeddings[1:9], found.embeddings[:1].expand(8, -1))

    # A part of the object is not it, and the object is no background.
    def crossed(x: float, y: float) -> Mask:
        return Mask.from_array(disc_at(y, x, 2)) if covered[int(y), int(x)] else disc

    monkeypatch.setattr(model, "decode", Answers(crossed))
    assert gathered(model, dataset, options=options).origins.tolist() == [MARKED]


def test_the_decoder_is_asked(tiny_compact: PromptableModel) -> None:
    class Whole(Discs):
        """Objects nearly as large as the picture: what an untrained decoder draws is like them."""

        def __getitem__(self, index: int) -> Sample:
            sample = super().__getitem__(index)
            full = Mask.from_array(np.pad(np.ones((SIZE[0], SIZE[1] - 4)), ((0, 0), (0, 4))))
            return Sample(sample.picture, (LabelledMask("a", full),), sample.unknown)

    options = BaseOptions(points=8)
    first = gathered(tiny_compact, Whole(2), options=options)
    assert equal(first, gathered(tiny_compact, Whole(2), options=options))
    assert (first.labels[first.origins == MARKED] == 0).all()
    assert len(first.labels) <= 2 * 9
    torch.testing.assert_close(first.embeddings.norm(dim=1), torch.ones(len(first.labels)))
