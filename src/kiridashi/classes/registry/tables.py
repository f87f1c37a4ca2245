"""The tables, and the triggers that keep history as it was.

`schema` has one row, the layout's version. `events` is the history. A sample belongs to the event that
brought it and to a class, which is named by the event that added it. Its embedding lies apart, because a
rebuild gives it another one without taking the old one away. Pictures are kept once each.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

# "Kiri" in ASCII; SQLite keeps it in the file's header.
APPLICATION_ID = 0x4B697269
VERSION = 1

METADATA = MetaData()

SCHEMA = Table(
    "schema", METADATA, Column("version", Integer, primary_key=True), CheckConstraint("version > 0")
)

EVENTS = Table(
    "events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # Identities are ids of events: none may come twice.
    sqlite_autoincrement=True,
)

PICTURES = Table(
    "pictures",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("png", LargeBinary, nullable=False),
)

SAMPLES = Table(
    "samples",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("event", ForeignKey("events.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("identity", ForeignKey("events.id")),
    Column("picture", ForeignKey("pictures.digest"), nullable=False),
    Column("name", Text, nullable=False),
    Column("mask", Text, nullable=False),
    Index("samples_by_class", "identity"),
    sqlite_autoincrement=True,
)

EMBEDDINGS = Table(
    "embeddings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("event", ForeignKey("events.id"), nullable=False),
    Column("sample", ForeignKey("samples.id"), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    # In this order an event's rows are read without a look at those of others.
    UniqueConstraint("event", "sample"),
)

STATISTICS = Table(
    "statistics",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("time", Text, nullable=False),
    Column("picture", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("class_name", Text),
    Column("identity", Integer),
    Column("score", Float),
    Column("unknown", Integer, nullable=False),
    Column("distance", Float),
    Index("statistics_by_time", "time"),
)

_KEPT = (SCHEMA, EVENTS, PICTURES, SAMPLES, EMBEDDINGS)
TRIGGERS = tuple(
    f"CREATE TRIGGER {table.name}_no_{verb} BEFORE {verb} ON {table.name} "
    f"BEGIN SELECT RAISE(ABORT, 'the history of a registry is never altered'); END"
    for table in _KEPT
    for verb in ("update", "delete")
)
