import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, event

from kiridashi.classes.registry import Event, EventKind, Registry, RegistryState, Sample, SampleKind, fold
from kiridashi.classes.registry import registry as module
from kiridashi.classes.registry.events import Matrix
from kiridashi.classes.registry.rows import read_events
from kiridashi.core.errors import InputError, SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture

from .conftest import WIDTH, MakeSample


def values(state: RegistryState) -> dict[str, list[float]]:
    return {name: each.shots[:, 0].tolist() for name, each in state.classes.items()}


def rows_of(samples: Sequence[Sample]) -> Matrix:
    return np.stack([np.asarray(each.embedding, np.float32) for each in samples])


def test_a_new_registry_is_empty(registry: Registry) -> None:
    state = registry.state()
    assert (dict(state.classes), state.model, state.fingerprint, state.width) == ({}, "compact", "f1", WIDTH)
    assert state.background.shape == (0, WIDTH)
    (created,) = registry.history()
    assert (created.id, created.kind, created.author) == (1, EventKind.CREATE, "tester")


def test_a_class_comes_back_as_it_was_added(registry: Registry, path: Path, make_sample: MakeSample) -> None:
    before = datetime.now(UTC)
    shots, held, alike = [make_sample(1), make_sample(2)], [make_sample(3)], [make_sample(4)]
    added = registry.add(
        " bolt ", shots, validation=held, background=alike, threshold=0.4, author="Aya", reason="new\npart"
    )
    registry.close()
    with Registry.open(path, fingerprint="f1") as reopened:
        state = reopened.state()
        found = state.classes["bolt"]
        assert (found.identity, found.threshold) == (added.id, 0.4)
        assert before <= found.added <= datetime.now(UTC)
        assert np.array_equal(found.shots, rows_of(shots))
        assert np.array_equal(found.validation, rows_of(held))
        assert np.array_equal(state.background, rows_of(alike))
        assert found.shots.dtype == state.background.dtype == np.float32
        event = reopened.history()[-1]
        assert (event.kind, event.author, event.reason) == (EventKind.ADD, "Aya", "new part")
        assert (event.facts["shots"], event.facts["validation"], event.facts["background"]) == (2, 1, 1)
        assert event.facts["sources"] == sorted(each.picture.digest for each in (*shots, *held, *alike))
        assert (event.model, event.fingerprint) == ("compact", "f1")
        stored = reopened.samples("BOLT")
        assert [each.kind for each in stored] == ["shot", "shot", "validation", "background"]
        for row, sample in zip(stored, (*shots, *held, *alike), strict=True):
            assert row.mask == sample.mask
            assert np.array_equal(row.embedding, rows_of([sample])[0])
            picture = reopened.picture(row.digest)
            assert np.array_equal(picture.pixels, sample.picture.pixels)
            assert row.name == picture.name == sample.picture.name
        assert [each.id for each in reopened.samples(kind=SampleKind.VALIDATION)] == list(
            found.validation_ids
        )


def test_more_samples_of_a_class_and_background_of_none(registry: Registry, make_sample: MakeSample) -> None:
    registry.add("bolt", [make_sample(1)], background=[make_sample(2)], threshold=0.4)
    registry.add_shots("bolt", [make_sample(3), make_sample(4)], background=[make_sample(5)])
    registry.add_background([make_sample(6)])
    state = registry.state()
    assert values(state) == {"bolt": [1, 3, 4]}
    assert state.classes["bolt"].threshold == 0.4
    assert state.background[:, 0].tolist() == [2, 5, 6]
    registry.add_shots("bolt", validation=[make_sample(7)], threshold=0.6)
    assert registry.state().classes["bolt"].threshold == 0.6
    # Look-alikes go with the class; what belongs to none stays.
    registry.remove("bolt")
    assert registry.state().background[:, 0].tolist() == [6]
    assert [each.name for each in registry.samples()] == ["6.png"]


def test_names_and_thresholds_change(registry: Registry, make_sample: MakeSample) -> None:
    first = registry.add("bolt", [make_sample(1)])
    registry.add("nut", [make_sample(2)])
    registry.rename("bolt", "Bolt")
    registry.set_thresholds({"Bolt": 0.7, "nut": 0.2})
    registry.set_thresholds({"nut": None})
    state = registry.state()
    assert list(state.classes) == ["Bolt", "nut"]
    assert state.classes["Bolt"].identity == first.id
    assert (state.classes["Bolt"].threshold, state.classes["nut"].threshold) == (0.7, None)
    assert registry.history()[3].facts["was"] == "bolt"


def test_changes_that_make_no_sense_leave_nothing(registry: Registry, make_sample: MakeSample) -> None:
    registry.add("bolt", [make_sample(1)])
    huge, thin = make_sample(2, value=np.inf), make_sample(2, width=WIDTH + 1)
    refused: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: registry.add("BOLT", [make_sample(2)]), UsageError, "already"),
        (lambda: registry.add("nut", []), UsageError, "no shot"),
        (lambda: registry.add("a\tb", [make_sample(2)]), UsageError, "control"),
        (lambda: registry.add("nut", [thin]), UsageError, "4 values"),
        (lambda: registry.add("nut", [make_sample(2), huge]), InputError, "not finite"),
        (lambda: registry.add("nut", [make_sample(2)], threshold=float("nan")), UsageError, "finite"),
        (lambda: registry.add_shots("bolt"), UsageError, "no sample"),
        (lambda: registry.add_shots("bolts", [make_sample(2)]), UsageError, "Did you mean 'bolt'"),
        (lambda: registry.add_background([]), UsageError, "no background"),
        (lambda: registry.remove("nut"), UsageError, "no class named"),
        (lambda: registry.rename("bolt", "bolt"), UsageError, "nothing was changed"),
        (lambda: registry.set_thresholds({}), UsageError, "at least one"),
        (lambda: registry.roll_back(2), UsageError, "earlier"),
        (lambda: registry.roll_back(7), UsageError, "no event 7"),
        (lambda: registry.state(at=0), UsageError, "from 1 to 2"),
        (lambda: registry.picture("0" * 64), UsageError, "no picture"),
    ]
    for change, kind, text in refused:
        with pytest.raises(kind, match=text):
            change()
    assert len(registry.history()) == 2
    assert len(registry.samples()) == 1
    registry.verify()


def test_a_sample_needs_a_mask_of_its_picture() -> None:
    picture = Picture(np.zeros((4, 5, 3), np.uint8), "a.png")
    with pytest.raises(InputError, match="empty"):
        Sample(picture, Mask.empty((4, 5)), np.zeros(WIDTH))
    with pytest.raises(SizeMismatchError):
        Sample(picture, Mask.from_array(np.ones((5, 4))), np.zeros(WIDTH))


def test_roll_back_and_back_again(registry: Registry, path: Path, make_sample: MakeSample) -> None:
    registry.add("bolt", [make_sample(1)])
    registry.add("nut", [make_sample(2)])
    registry.remove("bolt")
    registry.roll_back(to=2)
    assert values(registry.state()) == {"bolt": [1]}
    registry.add("washer", [make_sample(3)])
    # Back to before the roll-back, and to the creation.
    registry.roll_back(to=4)
    assert values(registry.state()) == {"nut": [2]}
    registry.roll_back(to=6)
    assert values(registry.state()) == {"bolt": [1], "washer": [3]}
    registry.roll_back(to=1)
    assert values(registry.state()) == {}
    assert values(registry.state(at=3)) == {"bolt": [1], "nut": [2]}
    assert values(registry.state(at=5)) == {"bolt": [1]}
    assert registry.state().event == len(registry.history()) == 9
    with Registry.open(path) as other:
        assert values(other.state()) == {}


def test_a_picture_is_stored_once(registry: Registry, path: Path, make_sample: MakeSample) -> None:
    rng = np.random.default_rng(0)
    picture = Picture(rng.integers(0, 256, (200, 200, 3)).astype(np.uint8), "large.png")
    masks = [Mask.from_array(np.arange(40_000).reshape(200, 200) < 100 * each) for each in (1, 2)]
    registry.add("bolt", [Sample(picture, mask, np.zeros(WIDTH)) for mask in masks])
    registry.add("nut", [Sample(picture, masks[0], np.ones(WIDTH))])
    assert len({each.digest for each in registry.samples()}) == 1
    registry.close()
    assert picture.pixels.nbytes < path.stat().st_size < 2 * picture.pixels.nbytes


def test_another_model_is_refused_until_a_rebuild(path: Path, make_sample: MakeSample) -> None:
    with Registry.create(path, "compact", "f1", WIDTH) as registry:
        registry.add("bolt", [make_sample(1)], validation=[make_sample(2)], threshold=0.5)
        registry.add("nut", [make_sample(3)], background=[make_sample(4)], threshold=0.5)
    with pytest.raises(UsageError, match="kiridashi classes rebuild"):
        Registry.open(path, fingerprint="f2")
    with Registry.open(path, writable=True) as registry:
        vectors = {each.id: -np.ones(WIDTH + 2) * each.embedding[0] for each in registry.samples()}
        with pytest.raises(UsageError, match="one embedding for each of the 4"):
            registry.rebuild("large", "f2", {**vectors, 99: vectors[1]})
        with pytest.raises(UsageError, match="shape"):
            registry.rebuild("large", "f2", {**vectors, 2: np.zeros(1)})
        registry.rebuild("large", "f2", vectors, thresholds={"nut": 0.1})
    with Registry.open(path, writable=True, fingerprint="f2") as registry:
        state = registry.state()
        assert (state.model, state.width, values(state)) == ("large", WIDTH + 2, {"bolt": [-1], "nut": [-3]})
        assert state.background[:, 0].tolist() == [-4]
        assert [each.threshold for each in state.classes.values()] == [None, 0.1]
        assert values(registry.state(at=3)) == {"bolt": [1], "nut": [3]}
        registry.add("washer", [make_sample(5, width=WIDTH + 2)])
        with pytest.raises(UsageError, match="before a rebuild"):
            registry.roll_back(to=3)
        registry.verify()
    with Registry.open(path, writable=True) as registry:
        registry.roll_back(to=3)
        assert registry.state().fingerprint == "f1"
    with Registry.open(path, fingerprint="f1") as registry:
        assert values(registry.state()) == {"bolt": [1], "nut": [3]}


def test_embeddings_of_the_old_model_do_not_follow_a_rebuild(
    registry: Registry, path: Path, make_sample: MakeSample
) -> None:
    with Registry.open(path, writable=True) as other:
        other.rebuild("large", "f2", {})
        with pytest.raises(UsageError, match="classes rebuild"):
            registry.add("bolt", [make_sample(1)])
        with pytest.raises(UsageError, match="classes rebuild"):
            registry.state()
        other.add("bolt", [make_sample(1)])
        assert len(registry.samples()) == 1


def test_each_sees_what_others_wrote(registry: Registry, path: Path, make_sample: MakeSample) -> None:
    with Registry.open(path, writable=True) as other, Registry.open(path) as reader:
        other.add("bolt", [make_sample(1)])
        with pytest.raises(UsageError, match="already"):
            registry.add("Bolt", [make_sample(2)])
        registry.add("nut", [make_sample(2)])
        other.roll_back(to=2)
        for each in (registry, other, reader):
            assert values(each.state()) == {"bolt": [1]}


def test_an_addition_reads_nothing_of_the_classes_before_it(
    registry: Registry, make_sample: MakeSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_fold(events: object) -> RegistryState:
        raise AssertionError("all events were folded anew")

    read: list[int] = []

    def counted(connection: Connection, after: int = 0) -> list[Event]:
        events = read_events(connection, after)
        read.append(len(events))
        return events

    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *others: object) -> None:
        statements.append(statement)

    monkeypatch.setattr(module, "fold", no_fold)
    monkeypatch.setattr(module, "read_events", counted)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        counts = []
        for number in range(30):
            statements.clear()
            registry.add(f"class {number}", [make_sample(number)], background=[make_sample(99)])
            counts.append(len(statements))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert set(read) == {0}
    # One less for a picture that is stored already.
    assert set(counts[1:]) == {counts[0] - 1}
    assert len(registry.state().classes) == 30


def test_the_state_is_the_fold_of_the_history(registry: Registry, make_sample: MakeSample) -> None:
    registry.add("bolt", [make_sample(1)], background=[make_sample(2)])
    registry.add("nut", [make_sample(3)])
    registry.roll_back(to=2)
    assert values(fold.fold(registry.history())) == values(registry.state()) == {"bolt": [1]}


def test_the_registry_needs_no_torch() -> None:
    script = "import sys, kiridashi.classes.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
