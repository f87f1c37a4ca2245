"""The registry of a site's classes: every change an event, every event for good, every state at hand."""

import getpass
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from numpy.typing import ArrayLike
from sqlalchemy import Connection, select

from kiridashi.classes.registry import changes
from kiridashi.classes.registry.blobs import read_picture_bytes
from kiridashi.classes.registry.changes import Bundle, Draft
from kiridashi.classes.registry.errors import ChangedMeanwhileError
from kiridashi.classes.registry.events import Event, EventKind, Matrix, SampleKind
from kiridashi.classes.registry.fold import apply, fold
from kiridashi.classes.registry.rows import (
    Packed,
    Signature,
    pack,
    read_events,
    read_samples,
    stored_digests,
    write_event,
)
from kiridashi.classes.registry.samples import Sample, StoredSample
from kiridashi.classes.registry.state import RegistryState
from kiridashi.classes.registry.statistics import (
    Statistic,
    count_statistics,
    drop_statistics,
    read_statistics,
    write_statistics,
)
from kiridashi.classes.registry.store import Store
from kiridashi.classes.registry.tables import PICTURES, SAMPLES
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.data.files import one_line

WAIT_S = 10.0
MOST_TEXT = 1000

Change = Callable[[RegistryState], Draft]


class Registry:
    """Classes of a site in one file. Made by `create`, opened by `open`; a context manager.

    One process at a time writes, any number reads; each sees what others have written at its next call.
    The file must lie on a disk of this machine: SQLite's log does not work across a network.

    Attributes:
        path: the file.
        writable: whether changes are allowed.
    """

    def __init__(self, store: Store, state: RegistryState, fingerprint: str | None) -> None:
        self.path = store.path
        self.writable = store.writable
        self._store = store
        self._state = state
        # A caller that named none adds embeddings of the model that it found here.
        self._expected = fingerprint
        self._embeds = fingerprint or state.fingerprint
        self._lock = RLock()

    @classmethod
    def create(
        cls,
        path: str | Path,
        model: str,
        fingerprint: str,
        width: int,
        *,
        head: str | None = None,
        author: str | None = None,
        wait_s: float = WAIT_S,
    ) -> Self:
        """Make a new registry, open for writing.

        Args:
            path: where there is nothing yet; folders are made.
            model: name of the model that embeds.
            fingerprint: changes with the model's weights or head.
            width: D of the embeddings.
            head: file of the embedding head, for those who look for it later; None: there is none.
            author: None: the user of this machine.
            wait_s: longest wait for another process that writes.

        Raises:
            UsageError: there is something already, or nothing can be written there.
        """
        draft = changes.creation(model, fingerprint, width, _named_head(head))
        with Store.create(Path(path), wait_s=wait_s) as (store, connection):
            signature = _signature(author, "", model, fingerprint)
            created = write_event(connection, draft, Packed({}, ()), signature)
        return cls(store, fold([created]), fingerprint)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        writable: bool = False,
        fingerprint: str | None = None,
        wait_s: float = WAIT_S,
    ) -> Self:
        """Open an existing registry.

        Args:
            path: the file.
            writable: whether changes are meant.
            fingerprint: of the embeddings that the caller makes; None takes the registry as it is, for
                listings and for a rebuild.
            wait_s: longest wait for another process that writes.

        Raises:
            InputError: no file, or it is damaged, cut short or something else.
            UsageError: made by a newer version or with another model, or it is to be written and cannot be.
        """
        store = Store.open(Path(path), writable=writable, wait_s=wait_s)
        try:
            with store.reading() as connection, _named(store.path):
                state = fold(read_events(connection))
            _check_fingerprint(store.path, state, fingerprint)
        except BaseException:
            store.close()
            raise
        return cls(store, state, fingerprint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._store.close()

    def state(self, at: int | None = None) -> RegistryState:
        """The classes now, or as they were after an event.

        Args:
            at: id of an event; None: now, with what other processes wrote.

        Raises:
            UsageError: no such event, or another process rebuilt the registry for another model.
        """
        if at is not None:
            with self._store.reading() as connection:
                return self._state_at(connection, at)
        with self._lock:
            with self._store.reading() as connection:
                self._state = self._newest(connection)
            _check_fingerprint(self.path, self._state, self._expected)
            return self._state

    def history(self) -> list[Event]:
        """All events, oldest first, those that were rolled back included."""
        with self._store.reading() as connection, _named(self.path):
            return read_events(connection)

    def samples(self, name: str | None = None, kind: SampleKind | None = None) -> list[StoredSample]:
        """Samples in use, oldest first, without their pixels.

        Args:
            name: of a class, whose shots, validation and background are meant; None: all samples.
            kind: only these.

        Raises:
            UsageError: no such class.
        """
        with self._lock, self._store.reading() as connection, _named(self.path):
            # No check of the model: a rebuild reads the samples of a registry that it does not fit.
            self._state = state = self._newest(connection)
            identity = None if name is None else state.named(name).identity
            found = list(read_samples(connection, _embeddings_by_id(state), identity))
        return [sample for sample in found if kind is None or sample.kind is kind]

    def samples_in(self, digests: Iterable[str]) -> list[StoredSample]:
        """Samples in use of some pictures, by their digests; without their pixels."""
        with self._lock, self._store.reading() as connection, _named(self.path):
            self._state = state = self._newest(connection)
            return list(read_samples(connection, _embeddings_by_id(state), digests=digests))

    def picture(self, digest: str) -> Picture:
        """A sample's picture.

        Raises:
            UsageError: no such picture.
            InputError: its bytes are damaged.
        """
        query = (
            select(PICTURES.c.png, SAMPLES.c.name)
            .join(SAMPLES, SAMPLES.c.picture == PICTURES.c.digest)
            .where(PICTURES.c.digest == digest)
            .limit(1)
        )
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UsageError(one_line(f"{self.path}: the registry has no picture {digest[:64]}"))
        with _named(self.path):
            return read_picture_bytes(row.png, row.name, digest)

    def add(
        self,
        name: str,
        shots: Sequence[Sample],
        *,
        validation: Sequence[Sample] = (),
        background: Sequence[Sample] = (),
        threshold: float | None = None,
        author: str | None = None,
        reason: str = "",
        after: int | None = None,
    ) -> Event:
        """Add a class.

        Args:
            name: what no class is called yet, case apart.
            shots: what it is made from, at least one.
            validation: held aside to judge it.
            background: what looks like it and is not; goes when the class goes.
            threshold: least score of an instance; None: the default counts.
            author: None: the user of this machine.
            reason: for the history.
            after: id of the event that the caller took for the newest; None: whatever it is.

        Raises:
            ChangedMeanwhileError: it is not the newest.
            UsageError: the name is taken or not allowed, no shot, or the registry cannot be written.
            InputError: a picture is too large, or an embedding is not finite.
        """
        bundle = Bundle(shots, validation, background)
        return self._change(
            lambda state: changes.addition(state, name, bundle, threshold), author, reason, bundle, after
        )

    def add_shots(
        self,
        name: str,
        shots: Sequence[Sample] = (),
        *,
        validation: Sequence[Sample] = (),
        background: Sequence[Sample] = (),
        threshold: float | None = None,
        author: str | None = None,
        reason: str = "",
        after: int | None = None,
    ) -> Event:
        """Add samples to a class: as `add`, but a threshold of None leaves it as it is."""
        bundle = Bundle(shots, validation, background)
        return self._change(
            lambda state: changes.more_samples(state, name, bundle, threshold), author, reason, bundle, after
        )

    def add_background(
        self, samples: Sequence[Sample], *, author: str | None = None, reason: str = ""
    ) -> Event:
        """Add background that belongs to no class and stays when classes go."""
        return self._change(
            lambda state: changes.more_background(state, samples), author, reason, Bundle(background=samples)
        )

    def remove(self, name: str, *, author: str | None = None, reason: str = "") -> Event:
        """Take a class out, with its background; its samples stay in the history."""
        return self._change(lambda state: changes.removal(state, name), author, reason)

    def rename(self, name: str, new: str, *, author: str | None = None, reason: str = "") -> Event:
        """Call a class by another name; its identity stays."""
        return self._change(lambda state: changes.renaming(state, name, new), author, reason)

    def set_thresholds(
        self, thresholds: Mapping[str, float | None], *, author: str | None = None, reason: str = ""
    ) -> Event:
        """Set the least scores of some classes, by name; None: the default counts."""
        return self._change(lambda state: changes.new_thresholds(state, thresholds), author, reason)

    def roll_back(self, to: int, *, author: str | None = None, reason: str = "") -> Event:
        """Return to the state after an earlier event, which is itself an event and can be taken back.

        Raises:
            UsageError: no such event, or it is of another model than the caller's.
        """

        def change(state: RegistryState) -> Draft:
            with self._store.reading() as connection:
                target = self._state_at(connection, to)
            if self._expected is not None and target.fingerprint != self._expected:
                raise UsageError(
                    f"event {to} has embeddings of model {target.model!r} from before a rebuild; roll back "
                    "with that model, or to an event after the rebuild"
                )
            return changes.roll_back(state, target)

        return self._change(change, author, reason)

    def rebuild(
        self,
        model: str,
        fingerprint: str,
        embeddings: Mapping[int, ArrayLike],
        *,
        thresholds: Mapping[str, float | None] | None = None,
        head: str | None = None,
        author: str | None = None,
        reason: str = "",
    ) -> Event:
        """Replace the embeddings of all samples in use by those of another model.

        The old ones stay in the history. From now on this registry is taken as opened with `fingerprint`.

        Args:
            model: name of the model.
            fingerprint: of its embeddings.
            embeddings: (D,) each by the id of the sample, for all of `samples()`.
            thresholds: by name; those of other classes are taken away, for they hold for the old model.
            head: file of the embedding head; None: there is none.
            author: None: the user of this machine.
            reason: for the history.

        Raises:
            UsageError: not one embedding for each sample, or they differ in width.
            InputError: an embedding is not finite.
        """
        event = self._change(
            lambda state: changes.rebuilding(
                state, model, fingerprint, embeddings, thresholds or {}, _named_head(head)
            ),
            author,
            reason,
        )
        self._embeds = fingerprint
        if self._expected is not None:
            self._expected = fingerprint
        return event

    def record_statistics(self, rows: Iterable[Statistic]) -> None:
        """Append what `detect` saw, in one transaction.

        Raises:
            UsageError: the registry cannot be written.
        """
        with self._store.writing() as connection:
            write_statistics(connection, rows)

    def statistics(self, since: datetime | None = None) -> list[Statistic]:
        """What `detect` saw, oldest first, from a time on.

        Raises:
            UsageError: `since` has no time zone.
        """
        with self._store.reading() as connection:
            return read_statistics(connection, since)

    def statistics_count(self) -> int:
        """Number of rows of what `detect` saw."""
        with self._store.reading() as connection:
            return count_statistics(connection)

    def drop_statistics(self, since: Mapping[int | None, datetime], *, newest: int, first: int) -> int:
        """Delete old rows; those of one picture stay or go together.

        Args:
            since: by identity of a class, from when on its first rows are kept; None: of whole pictures.
            newest: rows that are kept whatever they are of; some more, where a picture has several.
            first: rows that are kept of each identity.

        Returns:
            Number of deleted rows.

        Raises:
            UsageError: the registry cannot be written.
        """
        with self._store.writing() as connection:
            return drop_statistics(connection, since, newest, first)

    def verify(self) -> None:
        """Read the complete file and fold all events.

        Raises:
            InputError: something is damaged.
        """
        self._store.verify()
        with _named(self.path):
            fold(self.history())

    def _change(
        self,
        change: Change,
        author: str | None,
        reason: str,
        bundle: Bundle | None = None,
        after: int | None = None,
    ) -> Event:
        packed = self._pack(bundle or Bundle())
        with self._lock:
            with self._store.writing() as connection:
                before = self._newest(connection)
                if after is not None and after != before.event:
                    raise ChangedMeanwhileError(self.path, after, before.event)
                draft = change(before)
                if draft.samples:
                    _check_fingerprint(self.path, before, self._embeds)
                signature = _signature(
                    author, reason, draft.model or before.model, draft.fingerprint or before.fingerprint
                )
                event = write_event(connection, draft, packed, signature)
                changed = self._after(connection, before, [event])
            # Only what is on the disk counts.
            self._state = changed
        return event

    def _pack(self, bundle: Bundle) -> Packed:
        samples = [sample for _, sample in bundle.rows()]
        with self._store.reading() as connection:
            have = stored_digests(connection, (sample.picture.digest for sample in samples))
        return pack(samples, have)

    def _newest(self, connection: Connection) -> RegistryState:
        with _named(self.path):
            known = self._state
            return self._after(connection, known, read_events(connection, after=known.event))

    def _after(self, connection: Connection, state: RegistryState, events: Sequence[Event]) -> RegistryState:
        if any(event.kind is EventKind.ROLL_BACK for event in events):
            return fold(read_events(connection))
        for event in events:
            state = apply(state, event)
        return state

    def _state_at(self, connection: Connection, at: int) -> RegistryState:
        with _named(self.path):
            events = read_events(connection)
            until = [event for event in events if event.id <= at]
            if not until or until[-1].id != at:
                raise UsageError(
                    f"the registry has no event {at}; `kiridashi classes history` shows those from 1 to "
                    f"{events[-1].id}"
                )
            return fold(until)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file's name before what is said of its content."""
    try:
        yield
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else one_line(f"{path}: {text}")) from error


def _check_fingerprint(path: Path, state: RegistryState, fingerprint: str | None) -> None:
    if fingerprint is not None and fingerprint != state.fingerprint:
        raise UsageError(
            one_line(
                f"{path}: the classes of this registry were made with model {state.model!r} "
                f"({state.fingerprint[:12]}), not with the one in use ({fingerprint[:12]}); use that model, "
                "or embed the stored samples anew with `kiridashi classes rebuild`"
            )
        )


def _named_head(head: str | None) -> str | None:
    return None if head is None else one_line(head)[:MOST_TEXT]


def _signature(author: str | None, reason: str, model: str, fingerprint: str) -> Signature:
    return Signature(
        datetime.now(UTC),
        one_line(_user() if author is None else author)[:MOST_TEXT],
        one_line(reason)[:MOST_TEXT],
        model,
        fingerprint,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container's user may have no name.
        return "unknown"


def _embeddings_by_id(state: RegistryState) -> dict[int, Matrix]:
    found = dict(zip((key.id for key in state.background_keys), state.background, strict=True))
    for each in state.classes.values():
        found.update(zip(each.shot_ids, each.shots, strict=True))
        found.update(zip(each.validation_ids, each.validation, strict=True))
    return found
