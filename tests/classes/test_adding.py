from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.classes.states import matrix

from kiridashi.classes import adding
from kiridashi.classes.adding import Batch, add_class, embed_marked, embed_unmarked, hold_aside
from kiridashi.classes.calibration import calibrate
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.forgetting import compare
from kiridashi.classes.registry import Registry, RegistryState, Sample
from kiridashi.classes.registry.errors import ChangedMeanwhileError
from kiridashi.classes.samples import Marked
from kiridashi.core.errors import UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel


def sample(vector: list[float], seed: int = 0) -> Sample:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    return Sample(Picture(pixels, f"{seed}.png"), Mask.from_array(mask), matrix([vector])[0])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.create(tmp_path / "store", "compact", "f1", 3) as made:
        nuts = Batch([sample([1, 0, 0])], [sample([1, 0.1, 0], 1), sample([1, 0.6, 0], 2)])
        add_class(made, "nut", nuts)
        yield made


THIEF = Batch([sample([1, 0.8, 0], 3)])


def test_a_class_is_committed_with_its_samples_and_calibrated_threshold(registry: Registry) -> None:
    batch = Batch(
        [sample([0, 0, 1], 4), sample([0, 0.2, 1], 5)], [sample([0, 0.1, 1], 6)], [sample([0, 1, 1], 7)]
    )
    added = add_class(registry, "bolt", batch, author="me", reason="new")
    state = registry.state()
    bolt = state.classes["bolt"]
    assert added.event is not None
    assert (added.event.author, added.event.reason, added.event.id) == ("me", "new", state.event)
    assert (len(bolt.shots), len(bolt.validation), len(state.background)) == (2, 1, 1)
    assert bolt.threshold == added.threshold == pytest.approx(calibrate(np.array(bolt.shots)))


def test_what_is_proposed_is_what_is_committed(registry: Registry) -> None:
    before = registry.state()
    added = add_class(
        registry, "washer", Batch(THIEF.shots, [sample([1, 0.9, 0], 8)], [sample([0, 1, 1], 7)])
    )
    after = registry.state()
    assert compare(before, after) == added.forgetting
    for name, each in after.classes.items():
        proposed = added.state.classes[name]
        assert (proposed.identity, proposed.threshold) == (each.identity, each.threshold)
        np.testing.assert_array_equal(proposed.shots, each.shots)
        np.testing.assert_array_equal(proposed.validation, each.validation)
    np.testing.assert_array_equal(added.state.background, after.background)


def test_a_loss_above_the_limit_leaves_the_registry_as_it_was(registry: Registry) -> None:
    before = registry.state()
    refused = add_class(registry, "washer", THIEF, fail_on_drop=0.49)
    assert refused.event is None
    assert refused.forgetting.drop == 0.5
    assert registry.state().event == before.event
    assert add_class(registry, "washer", THIEF, fail_on_drop=0.5).event is not None


def test_more_samples_move_the_row_and_calibrate_again(registry: Registry) -> None:
    added = add_class(registry, "NUT", Batch([sample([1, 0.5, 0], 9)], [sample([1, 0.4, 0], 10)]), more=True)
    nut = registry.state().classes["nut"]
    assert added.name == "nut"
    assert (len(nut.shots), len(nut.validation)) == (2, 3)
    assert nut.threshold == pytest.approx(calibrate(np.array(nut.shots)))


def test_names_that_are_taken_or_missing(registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"class named 'nut' already.*--more"):
        add_class(registry, "Nut", THIEF)
    with pytest.raises(UsageError, match="no class named 'nuts'"):
        add_class(registry, "nuts", THIEF, more=True)
    with pytest.raises(UsageError, match="no shot"):
        add_class(registry, "washer", Batch([]))


def test_a_faster_process_is_taken_into_account(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def slow(before: RegistryState, after: RegistryState) -> object:
        tries.append(before.event)
        if len(tries) == 1:
            with Registry.open(registry.path, writable=True) as other:
                other.add("bolt", [sample([0, 0, 1], 4)], validation=[sample([0, 0.1, 1], 5)])
        return compare(before, after)

    monkeypatch.setattr(adding, "compare", slow)
    added = add_class(registry, "washer", THIEF)
    assert len(tries) == 2
    # The second look has seen the class of the other process.
    assert [one.name for one in added.forgetting.classes] == ["nut", "bolt", "washer"]
    assert list(registry.state().classes) == ["nut", "bolt", "washer"]


def test_two_processes_with_one_name_make_one_class(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(before: RegistryState, after: RegistryState) -> object:
        if "washer" not in before.classes:
            with Registry.open(registry.path, writable=True) as other:
                other.add("washer", [sample([0, 0, 1], 4)])
        return compare(before, after)

    monkeypatch.setattr(adding, "compare", slow)
    with pytest.raises(UsageError, match="class named 'washer' already"):
        add_class(registry, "washer", THIEF)
    assert len(registry.state().classes["washer"].shots) == 1


def test_a_registry_that_never_rests_is_given_up(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def restless(before: RegistryState, after: RegistryState) -> object:
        with Registry.open(registry.path, writable=True) as other:
            other.set_thresholds({"nut": 0.1})
        return compare(before, after)

    monkeypatch.setattr(adding, "compare", restless)
    monkeypatch.setattr(adding, "TRIES", 2)
    with pytest.raises(ChangedMeanwhileError, match="nothing was changed"):
        add_class(registry, "washer", THIEF)


@pytest.mark.parametrize(("pictures", "aside"), [(1, []), (4, []), (5, [4]), (9, [4]), (11, [4, 9])])
def test_whole_pictures_are_held_aside(pictures: int, aside: list[int]) -> None:
    # Two objects in each picture.
    given = [sample([1, 0, 0], seed) for seed in range(pictures) for _ in range(2)]
    shots, validation = hold_aside(given)
    assert [one.picture.name for one in validation] == [f"{seed}.png" for seed in aside for _ in range(2)]
    assert len(shots) + len(validation) == len(given)


def test_samples_are_embedded_as_the_embedder_does(tiny_compact: PromptableModel) -> None:
    one = sample([1, 0, 0])
    embedder = Embedder(tiny_compact)
    steps: list[None] = []
    (made,) = embed_marked(embedder, [Marked(one.picture, one.mask)], lambda: steps.append(None))
    np.testing.assert_array_equal(made.embedding, embedder.embed_sample(one.picture, one.mask).numpy())
    assert len(steps) == 1


def test_background_pictures_without_a_mask_give_what_may_be_an_object(
    tiny_compact: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = sample([1, 0, 0])
    monkeypatch.setattr(
        adding, "propose", lambda *_args, **_kwargs: [_Proposal(one.mask)] * (adding.FROM_PICTURE + 3)
    )
    made = embed_unmarked(tiny_compact, Embedder(tiny_compact), [one.picture])
    assert len(made) == adding.FROM_PICTURE


class _Proposal:
    def __init__(self, mask: Mask) -> None:
        import torch

        self.mask, self.embedding = mask, torch.ones(3)
