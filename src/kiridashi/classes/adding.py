"""A class from samples: embed, hold some aside, calibrate, look what it would do to the others, then commit.

The looking comes before the committing: what `fail_on_drop` refuses has never been in the registry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np

from kiridashi.classes.calibration import calibrate
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.forgetting import Forgetting, compare
from kiridashi.classes.proposals import propose
from kiridashi.classes.registry import ClassState, Event, Registry, RegistryState, Sample, SampleKind
from kiridashi.classes.registry.errors import ChangedMeanwhileError
from kiridashi.classes.registry.events import Matrix, SampleKey
from kiridashi.classes.registry.naming import free_name, known_name, name_key
from kiridashi.classes.samples import Marked
from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel

# One picture of five is held aside, and none where there are fewer: with few samples each makes the class
# better by more than a figure from one held-aside sample tells.
HOLD_ONE_OF = 5
# The best proposals of a background picture without a mask; more of one picture say little more.
FROM_PICTURE = 16
# A registry that others change all the time; each try costs milliseconds.
TRIES = 20

Step = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Batch:
    """Embedded samples by what they are for.

    Attributes:
        shots: that the class is made of.
        validation: held aside to judge it.
        background: what looks like it and is not.
    """

    shots: Sequence[Sample] = field(repr=False)
    validation: Sequence[Sample] = field(default=(), repr=False)
    background: Sequence[Sample] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class Added:
    """The end of an addition.

    Attributes:
        name: of the class as it is stored.
        event: that was committed; None: the change was refused.
        threshold: least cosine of the class.
        state: after the change; where it was refused, as it would have been.
        forgetting: what the change does to the classes.
    """

    name: str
    event: Event | None
    threshold: float
    state: RegistryState = field(repr=False)
    forgetting: Forgetting


def embed_marked(embedder: Embedder, marked: Sequence[Marked], step: Step = lambda: None) -> list[Sample]:
    """Samples with their embeddings, in the order given; each picture is encoded once.

    Args:
        embedder: of the registry.
        marked: objects; those of a picture follow one another.
        step: called after each.
    """
    samples = []
    for one in marked:
        vector = embedder.embed_sample(one.picture, one.mask).numpy()
        samples.append(Sample(one.picture, one.mask, vector))
        step()
    return samples


def embed_unmarked(
    model: PromptableModel, embedder: Embedder, pictures: Sequence[Picture], step: Step = lambda: None
) -> list[Sample]:
    """Background from pictures without a mask: the best of what might be an object in each.

    Raises:
        UsageError: the model's mask decoder is not trained.
    """
    samples = []
    for picture in pictures:
        found = propose(model, picture, embedder=embedder)[:FROM_PICTURE]
        samples += [Sample(picture, one.mask, one.embedding.numpy()) for one in found]
        step()
    return samples


def hold_aside(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """(shots, validation): all objects of every fifth picture are held aside, none of fewer than five.

    Whole pictures, since objects of one picture are too alike to judge one another; evenly spread, since
    pictures that follow one another were often taken together.
    """
    order = {
        digest: place for place, digest in enumerate(dict.fromkeys(one.picture.digest for one in samples))
    }
    shots: list[Sample] = []
    validation: list[Sample] = []
    for one in samples:
        last = order[one.picture.digest] % HOLD_ONE_OF == HOLD_ONE_OF - 1
        (validation if last else shots).append(one)
    return shots, validation


def check_name(state: RegistryState | None, name: str, *, more: bool) -> str:
    """The name as it is or will be stored.

    Args:
        state: of the registry; None: there is none yet.
        name: as the user writes it.
        more: whether samples are added to a class that is there.

    Raises:
        UsageError: the name is taken or not allowed, or no class has it that should.
    """
    known = {} if state is None else state.classes
    if more:
        return known_name(name, known)
    if taken := [other for other in known if name_key(other) == name_key(name)]:
        raise UsageError(
            f"there is a class named {taken[0]!r} already (case and width do not count); say --more to add "
            "these samples to it, or choose another name"
        )
    return free_name(name, known)


def add_class(
    registry: Registry,
    name: str,
    batch: Batch,
    *,
    more: bool = False,
    fail_on_drop: float | None = None,
    author: str | None = None,
    reason: str = "",
) -> Added:
    """Add a class, or samples to one, if the others bear it.

    What the change does is computed on the state that it is committed to: where another process was faster,
    it is computed again.

    Args:
        registry: open for writing, with embeddings of the batch's kind.
        name: of the class.
        batch: its samples.
        more: the class is there and gets these samples too.
        fail_on_drop: the most recall that an old class may lose, 0..1; None: any loss is only told.
        author: None: the user of this machine.
        reason: for the history.

    Returns:
        What was done; without an event where a class would lose more than `fail_on_drop`.

    Raises:
        UsageError: the name is taken or not allowed, no shots, or the registry cannot be written.
        ChangedMeanwhileError: other processes keep changing the registry.
    """
    for attempt in range(TRIES):
        state = registry.state()
        stored = check_name(state, name, more=more)
        after = proposed(state, stored, batch)
        threshold = after.classes[stored].threshold
        assert threshold is not None  # `proposed` calibrates it
        forgetting = compare(state, after)
        if fail_on_drop is not None and forgetting.drop > fail_on_drop:
            return Added(stored, None, threshold, after, forgetting)
        commit = registry.add_shots if more else registry.add
        try:
            event = commit(
                stored,
                batch.shots,
                validation=batch.validation,
                background=batch.background,
                threshold=threshold,
                author=author,
                reason=reason,
                after=state.event,
            )
        except ChangedMeanwhileError:
            if attempt == TRIES - 1:
                raise
        else:
            return Added(stored, event, threshold, after, forgetting)
    raise AssertionError("the last try returns or raises")


def proposed(state: RegistryState, name: str, batch: Batch) -> RegistryState:
    """The state as it would be with a batch added, its threshold calibrated on all shots of the class.

    Raises:
        UsageError: no shots.
    """
    old = state.classes.get(name)
    shots = _joined(state, None if old is None else old.shots, batch.shots)
    if not len(shots):
        raise UsageError(f"class {name!r} has no shot; give at least one picture with its mask")
    each = ClassState(
        name=name,
        # Ids are those of events, and the next event is the addition.
        identity=state.event + 1 if old is None else old.identity,
        shots=shots,
        threshold=calibrate(np.array(shots)),
        added=datetime.now(UTC) if old is None else old.added,
        # Those of the batch have no ids yet.
        shot_ids=() if old is None else old.shot_ids,
        validation=_joined(state, None if old is None else old.validation, batch.validation),
        validation_ids=() if old is None else old.validation_ids,
    )
    chunks = state.background_chunks
    if batch.background:
        key = SampleKey(0, SampleKind.BACKGROUND, each.identity)
        rows = _joined(state, None, batch.background)
        chunks = (*chunks, ((key,) * len(rows), rows))
    classes = MappingProxyType({**state.classes, name: each})
    return replace(state, classes=classes, background_chunks=chunks, event=state.event + 1)


def _joined(state: RegistryState, old: Matrix | None, samples: Sequence[Sample]) -> Matrix:
    kept = np.zeros((0, state.width), np.float32) if old is None else old
    if not samples:
        return kept
    return np.concatenate([kept, np.stack([np.asarray(one.embedding, np.float32) for one in samples])])
