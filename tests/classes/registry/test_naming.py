import pytest

from kiridashi.classes.registry.naming import MOST_CHARACTERS, clean_name, free_name, known_name
from kiridashi.core.errors import UsageError


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  bolt M6 ", "bolt M6"),
        ("ネジ", "ネジ"),
        ("cafe\u0301", "caf\u00e9"),
        ("x" * MOST_CHARACTERS, "x" * 100),
    ],
)
def test_a_name_is_stripped_and_composed(given: str, stored: str) -> None:
    assert clean_name(given) == stored


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", "visible"),
        (" \t ", "visible"),
        ("\u200b\u200d", "visible"),
        ("a\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\ud800", "control"),
        ("a\u2028b", "control"),
        ("x" * 101, "at most 100"),
        ("Background", "program's own"),
    ],
)
def test_what_is_no_name_is_refused(given: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        clean_name(given)


@pytest.mark.parametrize("given", ["Bolt", "BOLT", " bolt", "ｂｏｌｔ", "bo\u200blt"])
def test_a_name_that_reads_the_same_is_taken_and_another_suggested(given: str) -> None:
    with pytest.raises(UsageError, match="named 'bolt' already") as caught:
        free_name(given, ["nut", "bolt", "bolt 2"])
    assert " 3'" in str(caught.value)


def test_known_names_are_found_as_a_reader_would() -> None:
    assert known_name("Bolt", ["bolt", "Bolt"]) == "Bolt"
    assert known_name("BOLT", ["nut", "bolt"]) == "bolt"
    with pytest.raises(UsageError, match="Did you mean 'washer'"):
        known_name("wahser", ["bolt", "washer"])
    with pytest.raises(UsageError, match="the 0 known"):
        known_name("bolt", [])
