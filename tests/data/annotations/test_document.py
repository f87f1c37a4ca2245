from collections.abc import Callable
from pathlib import Path

import pytest

from kiridashi.core.errors import InputError
from kiridashi.core.picture import Picture
from kiridashi.data.annotations import read_annotations
from kiridashi.data.annotations.document import read_document


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "got list"),
        (b"null", "got NoneType"),
        (b'{"x": NaN}', "NaN"),
        (b'{"x": -Infinity}', "Infinity"),
        (b'{"x": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        read_document(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_size_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"x": 1}')
    assert read_document(path, max_bytes=8) == {"x": 1}
    with pytest.raises(InputError, match="limit"):
        read_document(path, max_bytes=7)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"x": 1}')
    assert read_document(path) == {"x": 1}


def test_another_kind_of_document_is_refused(tmp_path: Path, make_picture: Callable[..., Picture]) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"features": []}')
    with pytest.raises(InputError, match="neither a COCO file"):
        read_annotations(path, make_picture())
