import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from kiridashi.classes.registry import Registry
from kiridashi.classes.registry.errors import plain_errors
from kiridashi.classes.registry.store import Store
from kiridashi.core.errors import InputError, KiridashiError, UsageError

from .conftest import WIDTH, MakeSample


@pytest.fixture
def filled(path: Path, make_sample: MakeSample) -> Path:
    """A closed registry with some classes."""
    with Registry.create(path, "compact", "f1", WIDTH) as registry:
        for number in range(12):
            registry.add(f"class {number}", [make_sample(number), make_sample(number + 50)])
    return path


def sql(path: Path, *statements: str) -> None:
    """Meddle with the file past the registry."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_nothing_is_left_beside_a_closed_registry(filled: Path) -> None:
    assert list(filled.parent.iterdir()) == [filled]
    with Registry.open(filled) as registry:
        registry.verify()
    assert list(filled.parent.iterdir()) == [filled]


def test_the_file_says_what_it_is(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"Kiri"),)
        assert connection.execute("SELECT version FROM schema").fetchall() == [(1,)]


def test_commits_are_flushed_and_references_kept(filled: Path) -> None:
    store = Store.open(filled, writable=True, wait_s=1)
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    with pytest.raises(InputError, match="FOREIGN KEY"), store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO embeddings VALUES (NULL, 99, 99, x'00')")
    store.close()


@pytest.mark.parametrize("table", ["events", "samples", "embeddings", "pictures", "schema"])
def test_history_is_never_altered(filled: Path, table: str) -> None:
    column = {"events": "reason", "samples": "name", "embeddings": "vector", "pictures": "png"}
    statements = [
        f"DELETE FROM {table}",
        f"UPDATE {table} SET {column.get(table, 'version')} = 7",
    ]
    before = filled.read_bytes()
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError, match="never altered"):
            sql(filled, statement)
    assert filled.read_bytes() == before


def test_creation_takes_nothing_away(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("important " * 100)
    before = filled.read_bytes()
    for path in (filled, tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(KiridashiError, match=r"something of this name|not a registry"):
            Registry.create(path, "compact", "f1", WIDTH)
    assert filled.read_bytes() == before
    assert (tmp_path / "notes.txt").read_text() == "important " * 100


@pytest.mark.parametrize("writable", [False, True])
def test_a_registry_that_is_just_being_made_is_waited_for(
    path: Path, writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    made: list[Registry] = []

    def meanwhile(_seconds: float) -> None:
        if not made:
            made.append(Registry.create(path, "compact", "f1", WIDTH))

    monkeypatch.setattr("kiridashi.classes.registry.store.time.sleep", meanwhile)
    with Registry.open(path, writable=writable) as registry:
        assert registry.state().event == 1
    made[0].close()


def test_creation_makes_folders_and_fills_empty_files(tmp_path: Path) -> None:
    Registry.create(tmp_path / "a" / "b" / "store", "compact", "f1", WIDTH).close()
    (tmp_path / "empty").touch()
    sql(tmp_path / "bare", "PRAGMA journal_mode=WAL")
    for name in ("empty", "bare"):
        with pytest.raises(InputError, match="empty"):
            Registry.open(tmp_path / name)
        Registry.create(tmp_path / name, "compact", "f1", WIDTH).close()
        with Registry.open(tmp_path / name) as registry:
            assert registry.state().event == 1
    with pytest.raises(UsageError, match="width of 0"):
        Registry.create(tmp_path / "none", "compact", "f1", 0)
    assert not (tmp_path / "none").exists()


def test_what_is_no_registry_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 1000)
    sql(tmp_path / "other", "CREATE TABLE events (id)")
    (tmp_path / "folder").mkdir()
    expected = {"text": "not a registry", "other": "not a registry", "folder": "folder", "missing": "no such"}
    for name, text in expected.items():
        with pytest.raises(InputError, match=f"{name}: .*{text}"):
            Registry.open(tmp_path / name, writable=True)
    assert not (tmp_path / "missing").exists()


def test_a_newer_layout_asks_for_an_upgrade(filled: Path) -> None:
    sql(filled, "INSERT INTO schema VALUES (2)")
    with pytest.raises(UsageError, match=r"layout 2.*pip install -U kiridashi"):
        Registry.open(filled)


def open_and_verify(path: Path) -> None:
    with Registry.open(path, writable=True) as registry:
        registry.verify()
        for sample in registry.samples():
            registry.picture(sample.digest)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(filled: Path, share: float) -> None:
    data = filled.read_bytes()
    filled.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"cut short|damaged|not a registry|empty"):
        Registry.open(filled)


@pytest.mark.parametrize("start", range(8))
def test_overwritten_pages_are_noticed(filled: Path, start: int) -> None:
    data = bytearray(filled.read_bytes())
    assert len(data) // 4096 > 8
    data[start * 4096 : start * 4096 + 4096] = b"\xa5" * 4096
    filled.write_bytes(data)
    with pytest.raises(InputError, match=f"{filled.suffix}: "):
        open_and_verify(filled)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE events SET facts = '[1' WHERE id = 3", "event 3"),
        ("UPDATE events SET facts = '7' WHERE id = 3", "event 3"),
        ("UPDATE events SET kind = 'explode' WHERE id = 3", "event 3"),
        ("UPDATE events SET time = 'noon' WHERE id = 3", "event 3"),
        ("UPDATE events SET facts = '{}' WHERE id = 3", "event 3"),
        ("UPDATE embeddings SET vector = x'0000' WHERE id = 3", "cut short"),
        ("UPDATE embeddings SET vector = x'00000000' WHERE id = 3", "differ in width"),
        ("UPDATE pictures SET png = x'00'", "damaged"),
        ("UPDATE pictures SET png = (SELECT max(png) FROM pictures)", "not the one"),
        ("UPDATE samples SET mask = 'x'", "mask"),
        ("DELETE FROM schema", "no layout"),
    ],
)
def test_rows_that_cannot_be_right_are_named(filled: Path, statement: str, text: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    sql(filled, *(f"DROP TRIGGER {name}" for (name,) in names), statement)
    with pytest.raises(InputError, match=f"{filled.suffix}: .*{text}"):
        open_and_verify(filled)


def test_a_second_writer_waits_and_then_says_so(filled: Path, make_sample: MakeSample) -> None:
    with (
        closing(sqlite3.connect(filled, isolation_level=None)) as other,
        Registry.open(filled, writable=True, wait_s=0.05) as registry,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UsageError, match=r"another process is writing.* 0\.05 s; wait"):
            registry.add("bolt", [make_sample(1)])
        # Readers do not wait.
        assert len(registry.state().classes) == 12
        other.execute("ROLLBACK")
        registry.add("bolt", [make_sample(1)])
        assert len(registry.state().classes) == 13


def fill(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count=1")
    connection.exec_driver_sql("INSERT INTO pictures VALUES ('d', 1, 1, zeroblob(1000000))")


def test_a_full_disk_keeps_nothing_of_the_change(filled: Path, make_sample: MakeSample) -> None:
    store = Store.open(filled, writable=True, wait_s=1)
    with pytest.raises(UsageError, match="disk is full"), store.writing() as connection:
        fill(connection)
    store.close()
    with Registry.open(filled, writable=True) as registry:
        registry.verify()
        registry.add("bolt", [make_sample(1)])


def test_a_reader_changes_nothing(filled: Path, make_sample: MakeSample) -> None:
    with Registry.open(filled) as registry:
        for change in (
            lambda: registry.add("bolt", [make_sample(1)]),
            lambda: registry.remove("class 1"),
            lambda: registry.record_statistics([]),
        ):
            with pytest.raises(UsageError, match="reading only"):
                change()


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who owns nothing: root may write where nobody else may."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def read_only_folder(filled: Path) -> Iterator[Path]:
    """A copy of the registry where nothing can be written, in a folder that others may enter."""
    if not hasattr(os, "setresuid"):
        pytest.skip("needs Linux to give up rights")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(filled, folder / "store")
        (folder / "store").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_read_only_place_can_be_read_and_says_so_on_writing(read_only_folder: Path) -> None:
    store = read_only_folder / "store"
    with without_rights():
        with Registry.open(store, fingerprint="f1") as registry:
            assert len(registry.state().classes) == 12
            assert len(registry.samples()) == 24
        with pytest.raises(UsageError, match="read-only; copy it"):
            Registry.open(store, writable=True)
        with pytest.raises(UsageError, match="read-only; copy it"):
            Registry.create(read_only_folder / "new", "compact", "f1", WIDTH)
        with pytest.raises(UsageError, match="cannot be written"):
            Registry.create(read_only_folder / "deep" / "new", "compact", "f1", WIDTH)
    assert [each.name for each in read_only_folder.iterdir()] == ["store"]


def test_a_file_without_the_right_to_read_it(read_only_folder: Path) -> None:
    (read_only_folder / "store").chmod(0)
    with without_rights(), pytest.raises(UsageError, match="cannot be opened"):
        Registry.open(read_only_folder / "store")


def broken(code: int) -> Callable[[], None]:
    def fail() -> None:
        error = sqlite3.OperationalError("low-level words")
        error.sqlite_errorcode = code
        raise error

    return fail


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, UsageError, "another process"),
        (sqlite3.SQLITE_LOCKED, UsageError, "another process"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, UsageError, "read-only"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, UsageError, "cannot be opened"),
        (sqlite3.SQLITE_IOERR_FSYNC, UsageError, "check the disk"),
        (sqlite3.SQLITE_CORRUPT_INDEX, InputError, "damaged"),
        (sqlite3.SQLITE_NOTADB, InputError, "not a registry"),
        (sqlite3.SQLITE_ERROR, InputError, "low-level words"),
    ],
)
def test_errors_of_the_database_become_plain(code: int, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^store: .*{text}"), plain_errors(Path("store"), 1):
        broken(code)()
