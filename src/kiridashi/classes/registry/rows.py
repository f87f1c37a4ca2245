"""Events to rows of the tables, and back."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from kiridashi.classes.registry.blobs import joined_vectors, picture_bytes, vector_bytes
from kiridashi.classes.registry.changes import Draft
from kiridashi.classes.registry.events import Event, EventKind, Matrix, SampleKey, SampleKind
from kiridashi.classes.registry.samples import Sample, StoredSample
from kiridashi.classes.registry.tables import EMBEDDINGS, EVENTS, PICTURES, SAMPLES
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture


@dataclass(frozen=True)
class Signature:
    """When a change was made, by whom, why, and on embeddings of which model."""

    time: datetime
    author: str
    reason: str
    model: str
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Packed:
    """What of a sample takes long to make, made before the file is locked."""

    png: Mapping[str, bytes]
    masks: tuple[str, ...]


def stored_digests(connection: Connection, digests: Iterable[str]) -> frozenset[str]:
    """Which of these pictures the registry has."""
    found: set[str] = set()
    for part in _parts(digests):
        found.update(
            connection.execute(select(PICTURES.c.digest).where(PICTURES.c.digest.in_(part))).scalars()
        )
    return frozenset(found)


def pack(samples: Sequence[Sample], have: frozenset[str]) -> Packed:
    """Encode masks, and the pictures that are not stored yet.

    Raises:
        InputError: a picture is too large.
    """
    pictures: dict[str, Picture] = {each.picture.digest: each.picture for each in samples}
    png = {digest: picture_bytes(each) for digest, each in pictures.items() if digest not in have}
    return Packed(png, tuple(str(each.mask.to_rle()["counts"]) for each in samples))


def write_event(connection: Connection, draft: Draft, packed: Packed, signature: Signature) -> Event:
    """Insert an event with all that belongs to it.

    Returns:
        The event as a later reading gives it.
    """
    facts = json.dumps(dict(draft.facts), ensure_ascii=False, allow_nan=False)
    row = {
        "kind": draft.kind.value,
        "time": signature.time.isoformat(timespec="microseconds"),
        "author": signature.author,
        "reason": signature.reason,
        "facts": facts,
        "model": signature.model,
        "fingerprint": signature.fingerprint,
    }
    (event_id,) = connection.execute(insert(EVENTS).values(row)).inserted_primary_key or (0,)
    keys = _write_samples(connection, draft, packed, event_id) if draft.samples else _again(connection, draft)
    if keys:
        vectors = [
            {"event": event_id, "sample": key.id, "vector": vector_bytes(vector)}
            for key, vector in zip(keys, draft.embeddings, strict=True)
        ]
        connection.execute(insert(EMBEDDINGS), vectors)
    return Event(
        event_id,
        draft.kind,
        signature.time,
        signature.author,
        signature.reason,
        MappingProxyType(json.loads(facts)),
        signature.model,
        signature.fingerprint,
        keys,
        draft.embeddings,
    )


def read_events(connection: Connection, after: int = 0) -> list[Event]:
    """The events after one, with their embeddings, in two queries."""
    heads = connection.execute(select(EVENTS).where(EVENTS.c.id > after).order_by(EVENTS.c.id)).all()
    if not heads:
        return []
    rows = connection.execute(
        select(EMBEDDINGS.c.event, SAMPLES.c.id, SAMPLES.c.kind, SAMPLES.c.identity, EMBEDDINGS.c.vector)
        .join(SAMPLES, EMBEDDINGS.c.sample == SAMPLES.c.id)
        .where(EMBEDDINGS.c.event > after)
        .order_by(EMBEDDINGS.c.event, EMBEDDINGS.c.sample)
    ).all()
    brought = dict(_by_event(rows))
    nothing: tuple[tuple[SampleKey, ...], Matrix] = ((), np.zeros((0, 0), np.float32))
    return [_event(head, *brought.get(head.id, nothing)) for head in heads]


def read_samples(
    connection: Connection,
    embeddings: Mapping[int, Matrix],
    identity: int | None = None,
    digests: Iterable[str] | None = None,
) -> Iterator[StoredSample]:
    """Stored samples.

    Args:
        connection: to the file.
        embeddings: by the id of the samples that are wanted.
        identity: only those of this class.
        digests: only those of these pictures.
    """
    columns = (*SAMPLES.c, PICTURES.c.height, PICTURES.c.width)
    query = select(*columns).join(PICTURES, SAMPLES.c.picture == PICTURES.c.digest).order_by(SAMPLES.c.id)
    if identity is not None:
        query = query.where(SAMPLES.c.identity == identity)
    queries = [query]
    if digests is not None:
        queries = [query.where(SAMPLES.c.picture.in_(part)) for part in _parts(digests)]
    for row in chain.from_iterable(connection.execute(one) for one in queries):
        if row.id in embeddings:
            mask = Mask.from_rle({"size": [row.height, row.width], "counts": row.mask})
            kind = SampleKind(row.kind)
            yield StoredSample(
                row.id, row.event, kind, row.identity, row.picture, row.name, mask, embeddings[row.id]
            )


def _parts(digests: Iterable[str]) -> Iterator[list[str]]:
    """All of them, as many at a time as SQLite takes in one statement."""
    wanted = sorted(set(digests))
    for start in range(0, len(wanted), 500):
        yield wanted[start : start + 500]


def _write_samples(
    connection: Connection, draft: Draft, packed: Packed, event_id: int
) -> tuple[SampleKey, ...]:
    sizes = {sample.picture.digest: sample.picture.size for _, sample in draft.samples}
    for digest, png in packed.png.items():
        height, width = sizes[digest]
        picture = {"digest": digest, "height": height, "width": width, "png": png}
        # Another process may have stored it since we looked.
        connection.execute(sqlite_insert(PICTURES).values(picture).on_conflict_do_nothing())
    identity = event_id if draft.kind is EventKind.ADD else draft.identity
    keys = []
    for (kind, sample), mask in zip(draft.samples, packed.masks, strict=True):
        row = {
            "event": event_id,
            "kind": kind.value,
            "identity": identity,
            "picture": sample.picture.digest,
            "name": sample.picture.name,
            "mask": mask,
        }
        (sample_id,) = connection.execute(insert(SAMPLES).values(row)).inserted_primary_key or (0,)
        keys.append(SampleKey(sample_id, kind, identity))
    return tuple(keys)


def _again(connection: Connection, draft: Draft) -> tuple[SampleKey, ...]:
    if not draft.again:
        return ()
    wanted = set(draft.again)
    rows = connection.execute(
        select(SAMPLES.c.id, SAMPLES.c.kind, SAMPLES.c.identity).order_by(SAMPLES.c.id)
    ).all()
    return tuple(SampleKey(row.id, SampleKind(row.kind), row.identity) for row in rows if row.id in wanted)


def _by_event(rows: Sequence[Any]) -> Iterator[tuple[int, tuple[tuple[SampleKey, ...], Matrix]]]:
    # One array for all vectors; what the events get are views of it.
    flat, start = joined_vectors([row.vector for row in rows]), 0
    for event_id, group in groupby(rows, key=itemgetter(0)):
        members = list(group)
        if len({len(row.vector) for row in members}) > 1:
            raise InputError(f"the embeddings of event {event_id} of the registry differ in width")
        keys = tuple(SampleKey(row.id, SampleKind(row.kind), row.identity) for row in members)
        stop = start + sum(len(row.vector) for row in members) // flat.itemsize
        yield event_id, (keys, flat[start:stop].reshape(len(members), -1))
        start = stop


def _event(head: Any, keys: tuple[SampleKey, ...], embeddings: Matrix) -> Event:
    try:
        kind, time = EventKind(head.kind), datetime.fromisoformat(head.time)
        facts = MappingProxyType(dict(json.loads(head.facts)))
    except (TypeError, ValueError) as error:
        raise InputError(f"event {head.id} of the registry cannot be read: {error}") from error
    return Event(
        head.id, kind, time, head.author, head.reason, facts, head.model, head.fingerprint, keys, embeddings
    )
