import pytest

from kiridashi.cli.lists import names, numbers
from kiridashi.core.errors import UsageError


def test_parts_of_a_list() -> None:
    assert names("--methods", " a, b ,,c") == ("a", "b", "c")
    assert numbers("--shots", "5,1", 10) == (5, 1)


@pytest.mark.parametrize("text", ["", " , ", "a,a"])
def test_names_differ_and_are_there(text: str) -> None:
    with pytest.raises(UsageError, match="--methods: expected different names"):
        names("--methods", text)


@pytest.mark.parametrize("text", ["0", "11", "-1", "1.5", "one", "１"])
def test_numbers_have_bounds(text: str) -> None:
    with pytest.raises(UsageError, match="--shots: expected numbers from 1 to 10"):
        numbers("--shots", text, 10)
