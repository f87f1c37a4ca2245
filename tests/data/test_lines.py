import json
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError, UsageError
from kiridashi.data import lines
from kiridashi.data.lines import append_line, read_jsonl


def test_lines_are_appended_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    values = [{"id": 1, "name": "切り出し"}, {"id": 2}]
    for value in values:
        append_line(path, json.dumps(value, ensure_ascii=False))
    assert read_jsonl(path) == values
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("torn", [b'{"id": 2, "na', b"\xe5\x88", b"[1, 2", b'{"id": "' + b"x" * 200_000])
def test_a_torn_last_line_is_dropped_and_then_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"id": 1}\n' + torn)
    assert read_jsonl(path) == [{"id": 1}]
    with pytest.raises(InputError, match="line 2"):
        read_jsonl(path, strict=True)
    append_line(path, '{"id": 3}')
    assert read_jsonl(path, strict=True) == [{"id": 1}, {"id": 3}]


def test_a_torn_first_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"id"')
    assert read_jsonl(path) == []
    append_line(path, '{"id": 3}')
    assert read_jsonl(path) == [{"id": 3}]


def test_a_complete_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"id": 1}')
    append_line(path, '{"id": 2}')
    assert read_jsonl(path) == [{"id": 1}, {"id": 2}]


def test_empty_files_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.touch()
    assert read_jsonl(path) == []
    path.write_bytes(b'\xef\xbb\xbf{"id": 1}\r\n\r\n{"id": 2}\n\n')
    assert read_jsonl(path) == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b"7", b"\xff", b"[" * 100_000])
def test_a_broken_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"id": 1}\n' + line + b'\n{"id": 2}\n')
    with pytest.raises(InputError, match=r"prompts\.jsonl: line 2"):
        read_jsonl(path)


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 64)
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"id": "' + b"x" * 500)
    with pytest.raises(InputError, match="line 1"):
        read_jsonl(path)


def test_a_missing_file_and_a_line_break_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_jsonl(tmp_path / "missing.jsonl")
    with pytest.raises(UsageError, match="line break"):
        append_line(tmp_path / "a.jsonl", "{}\n{}")
    with pytest.raises(UsageError, match="cannot be written"):
        append_line(tmp_path, "{}")
