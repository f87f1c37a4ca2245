from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kiridashi.classes.adding import Batch, add_class, embed_marked
from kiridashi.classes.detector import Detector
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.growing import GrowingDetector
from kiridashi.classes.opening import classifier_of, open_or_create, thresholds_of
from kiridashi.classes.proposals import Proposal
from kiridashi.classes.samples import Marked
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Negative, Reference
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]


@pytest.fixture
def picture(make_picture: MakePicture) -> Picture:
    return make_picture()


@pytest.fixture
def masks(picture: Picture) -> list[Mask]:
    """Three places of the picture."""
    found = []
    for rows, columns in (
        (slice(16, 32), slice(24, 40)),
        (slice(0, 9), slice(0, 12)),
        (slice(38, 48), slice(50, 64)),
    ):
        pixels = np.zeros(picture.size, dtype=bool)
        pixels[rows, columns] = True
        found.append(Mask.from_array(pixels))
    return found


@pytest.fixture
def looks(tiny_compact: PromptableModel, masks: list[Mask], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that were looked at; the three places are all that there is in any."""
    looked: list[str] = []
    embedder = Embedder(tiny_compact)

    def propose(model: object, picture: Picture, *_: object, **__: object) -> list[Proposal]:
        looked.append(picture.name)
        rows = embedder.embed(picture, masks)
        return [Proposal(mask, 0.9, row) for mask, row in zip(masks, rows, strict=True)]

    monkeypatch.setattr("kiridashi.classes.detector.propose", propose)
    monkeypatch.setattr("kiridashi.classes.adding.propose", propose)
    return looked


def names(growing: GrowingDetector, picture: Picture) -> list[dict[tuple[int, int, int, int] | None, str]]:
    """By the box of the place."""
    return [{one.mask.box: one.label for one in every} for every in growing.answers(picture)]


@pytest.mark.usefixtures("looks")
def test_every_state_answers_as_a_registry_after_the_same_additions(
    tiny_compact: PromptableModel, picture: Picture, masks: list[Mask], tmp_path: Path
) -> None:
    growing, embedder = GrowingDetector(tiny_compact), Embedder(tiny_compact)
    plain = []
    with open_or_create(tmp_path / "classes.db", embedder) as registry:
        for name, mask in zip("ab", masks, strict=False):
            growing.add(name, [Reference(picture, mask)])
            add_class(registry, name, Batch(embed_marked(embedder, [Marked(picture, mask)])))
            state = registry.state()
            detector = Detector(tiny_compact, classifier_of(state), thresholds_of(state), None, embedder)
            plain.append(detector.detect(picture))
    found = growing.answers(picture)
    assert [list(one) for one in found] == [list(one) for one in plain]
    assert all(len(one) for one in found)
    assert list(found[0]) != list(found[1])


@pytest.mark.usefixtures("looks")
def test_a_newcomer_takes_what_is_its_very_own(
    tiny_compact: PromptableModel, picture: Picture, masks: list[Mask]
) -> None:
    growing = GrowingDetector(tiny_compact)
    growing.add("old", [Reference(picture, masks[0])])
    growing.add("new", [Reference(picture, masks[1])])
    before, after = names(growing, picture)
    # Places of one picture are much alike to a network of chance.
    assert set(before.values()) == {"old"}
    assert masks[1].box in before
    assert (after[masks[0].box], after[masks[1].box]) == ("old", "new")


def test_a_picture_is_looked_at_once_for_all_states(
    tiny_compact: PromptableModel, picture: Picture, masks: list[Mask], looks: list[str]
) -> None:
    growing = GrowingDetector(tiny_compact)
    for name, mask in zip("abc", masks, strict=True):
        growing.add(name, [Reference(picture, mask)])
    assert looks == []
    assert len(growing.answers(picture)) == 3
    assert looks == ["picture"]


@pytest.mark.usefixtures("looks")
def test_pictures_without_any_class_become_background(
    tiny_compact: PromptableModel, picture: Picture, masks: list[Mask]
) -> None:
    growing = GrowingDetector(tiny_compact)
    growing.add("a", [Reference(picture, masks[0])], [Negative(picture)])
    # All that is in the picture is background now.
    assert names(growing, picture) == [{}]


@pytest.mark.usefixtures("looks")
def test_what_cannot_be_added_is_refused(
    tiny_compact: PromptableModel, picture: Picture, masks: list[Mask]
) -> None:
    growing = GrowingDetector(tiny_compact)
    assert growing.answers(picture) == []
    with pytest.raises(UsageError, match="no shot"):
        growing.add("a", [])
    growing.add("a", [Reference(picture, masks[0])])
    with pytest.raises(UsageError, match="already"):
        growing.add("a", [Reference(picture, masks[0])])
    assert len(growing.answers(picture)) == 1
