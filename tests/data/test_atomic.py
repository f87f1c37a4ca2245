import json
import os
import stat
from pathlib import Path

import pytest

from kiridashi.core.errors import UsageError
from kiridashi.data.atomic import atomic_path, write_bytes, write_json, write_text


def test_writing_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    write_bytes(path, b"one")
    write_bytes(path, b"two", fsync=True)
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_text_is_utf8_with_its_own_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "切り出し\r\nok\n")
    assert (tmp_path / "a.txt").read_bytes() == "切り出し\r\nok\n".encode()


def test_json_reads_back_and_has_no_nan(tmp_path: Path) -> None:
    value = {"名前": [1, 2.5, None], "path": os.fsdecode(b"a\xff.png")}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"score": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def fail_halfway(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("cut")


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="cut"):
        fail_halfway(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_is_hidden_in_the_same_folder_with_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / ("x" * 240 + ".png")) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".png"
        temporary.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 240 + ".png"]


def test_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder", tmp_path / "file" / "a.json", tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="cannot be written") as caught:
            write_bytes(path, b"data")
        assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
