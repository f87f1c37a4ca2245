"""The SQLite file: opened with every doubt settled, read in snapshots, written by one at a time."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select
from sqlalchemy.pool import QueuePool

from kiridashi.classes.registry import errors
from kiridashi.classes.registry.tables import APPLICATION_ID, METADATA, SCHEMA, TRIGGERS, VERSION
from kiridashi.core.errors import UsageError
from kiridashi.data.files import check_file, one_line, reason_of

_WRITES = "kiridashi_writes"
_NEW = "mode=rwc"
_PAUSE_S = 0.02
# From making the file to the transaction that fills it; the transaction itself is waited for longer.
_MAKING_S = 0.5


class Store:
    """A registry's file.

    Committed means on the disk (write-ahead log, `synchronous=FULL`). A writer waits for another one for
    a bounded time. Readers never wait and see one state throughout a block.

    The file is never read past SQLite: closing a second handle would drop the locks of the first.

    Args:
        path: the file.
        writable: whether changes are meant.
        wait_s: how long to wait for another writer.
        new: whether the file may be made.
    """

    def __init__(self, path: Path, *, writable: bool, wait_s: float, new: bool = False) -> None:
        self.path = path
        self.writable = writable
        self.wait_s = wait_s
        self._engine = _engine(path, _mode(path, writable, new), wait_s)

    @classmethod
    def open(cls, path: Path, *, writable: bool, wait_s: float) -> Self:
        """An existing registry.

        Raises:
            InputError: no file, or it is damaged, cut short or something else.
            UsageError: it is of a newer version, or is to be written and cannot be.
        """
        deadline = time.monotonic() + min(_MAKING_S, wait_s)
        # SQLite makes an empty file first.
        while path.is_file() and not path.stat().st_size and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        check_file(path)
        if writable and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise errors.read_only(path)
        store = cls(path, writable=writable, wait_s=wait_s)
        try:
            store._await_tables(deadline)
            with store.reading() as connection:
                store._check(connection)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    @contextmanager
    def create(cls, path: Path, *, wait_s: float) -> Iterator[tuple[Self, Connection]]:
        """Make a registry: the tables and what the block writes come to be in one transaction.

        Raises:
            UsageError: there is a file with content already, or none can be written.
        """
        if path.exists() and (not path.is_file() or path.stat().st_size):
            _check_unfinished(path, wait_s)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(one_line(f"{path}: cannot be written: {reason_of(error)}")) from error
        if not os.access(path.parent, os.W_OK):
            raise errors.read_only(path)
        store = cls(path, writable=True, wait_s=wait_s, new=True)
        try:
            with store.writing() as connection:
                # Another process may have been faster.
                if _number(connection, "SELECT count(*) FROM sqlite_master"):
                    raise _exists(path)
                _lay_out(connection)
                yield store, connection
        except BaseException:
            store.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot."""
        with (
            errors.plain_errors(self.path, self.wait_s),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is kept, or nothing when the block raises or the process dies.

        Raises:
            UsageError: opened for reading, or another process writes for too long.
        """
        if not self.writable:
            raise UsageError(
                one_line(f"{self.path}: the registry is open for reading only; open it with writable=True")
            )
        with errors.plain_errors(self.path, self.wait_s), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def verify(self) -> None:
        """Read every page and every reference.

        Raises:
            InputError: something is damaged.
        """
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if found != "ok":
                raise errors.damaged(self.path, str(found))
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise errors.damaged(self.path, "a reference leads nowhere")

    def close(self) -> None:
        """Give the file back; the last one to close it folds the log into the file."""
        self._engine.dispose()

    def _await_tables(self, deadline: float) -> None:
        """Give a file without tables a little time: another process may be making it at this very moment."""
        while True:
            with self.reading() as connection:
                if _number(connection, "SELECT count(*) FROM sqlite_master"):
                    return
            if time.monotonic() > deadline:
                return
            time.sleep(_PAUSE_S)
            if self.writable:
                # Begins when the transaction that makes the tables has ended.
                with self.writing():
                    pass

    def _check(self, connection: Connection) -> None:
        if not _number(connection, "SELECT count(*) FROM sqlite_master"):
            raise errors.unfinished(self.path)
        if _number(connection, "PRAGMA application_id") != APPLICATION_ID:
            raise errors.not_a_registry(self.path)
        self._check_length(connection)
        version = connection.execute(select(func.max(SCHEMA.c.version))).scalar_one()
        if version is None:
            raise errors.damaged(self.path, "it names no layout")
        if version > VERSION:
            raise errors.too_new(self.path, version, VERSION)

    def _check_length(self, connection: Connection) -> None:
        # Each page of the snapshot lies in the file or in the log beside it.
        pages = _number(connection, "PRAGMA page_count") * _number(connection, "PRAGMA page_size")
        log = _log_of(self.path)
        if pages > self.path.stat().st_size + (log.stat().st_size if log.exists() else 0):
            raise errors.truncated(self.path)


def _engine(path: Path, mode: str, wait_s: float) -> Engine:
    uri = f"{path.absolute().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        # Without an isolation level Python opens no transactions of its own.
        connection = sqlite3.connect(
            uri, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
        )
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "recursive_triggers=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if mode == _NEW:
            _keep_log(connection, wait_s)
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=2)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _mode(path: Path, writable: bool, new: bool) -> str:
    if new:
        return _NEW
    # Readers of a log keep an index beside it. Where they cannot and nobody left a log, the file is
    # complete by itself.
    if not writable and not os.access(path.parent, os.W_OK) and not _log_of(path).exists():
        return "mode=ro&immutable=1"
    return "mode=rw"


def _keep_log(connection: sqlite3.Connection, wait_s: float) -> None:
    """Have the file keep a write-ahead log, now and at later openings."""
    # This change alone does not wait for others by itself.
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _check_unfinished(path: Path, wait_s: float) -> None:
    """Pass only a database without tables, which an interrupted creation leaves."""
    if not path.is_file():
        raise _exists(path)
    store = Store(path, writable=False, wait_s=wait_s)
    try:
        with store.reading() as connection:
            if _number(connection, "SELECT count(*) FROM sqlite_master"):
                raise _exists(path)
    finally:
        store.close()


def _exists(path: Path) -> UsageError:
    return UsageError(
        one_line(f"{path}: there is something of this name already; open it, or choose another name")
    )


def _lay_out(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    METADATA.create_all(connection, checkfirst=False)
    for trigger in TRIGGERS:
        connection.exec_driver_sql(trigger)
    connection.execute(insert(SCHEMA).values(version=VERSION))


def _number(connection: Connection, statement: str) -> int:
    return int(connection.exec_driver_sql(statement).scalar_one())
