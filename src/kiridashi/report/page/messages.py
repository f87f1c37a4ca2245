"""The texts of the report, from one table for all languages."""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ja")
PACKAGE = "kiridashi.report.page"


class Messages:
    """The texts in one language.

    Args:
        language: one of `LANGUAGES`.
        packages: whose `messages.toml` hold the texts; a later one's take the place of an earlier one's.
    """

    def __init__(self, language: str, *packages: str) -> None:
        self.language = language
        tables = [_table(package) for package in packages or (PACKAGE,)]
        self._texts = {key: each[language] for table in tables for key, each in table.items()}

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, filled in.

        Whole numbers get their thousands separated, and choose a word: `{shots} {shots:shot|shots}`.
        """
        shown = {name: _Whole(value) if type(value) is int else value for name, value in values.items()}
        return self._texts[key].format(**shown)

    def has(self, key: str) -> bool:
        """Whether there is a text of this key."""
        return key in self._texts


class _Whole(int):
    """A whole number in a text."""

    def __format__(self, spec: str) -> str:
        one, bar, several = spec.partition("|")
        if bar:
            return one if self == 1 else several
        return super().__format__(spec or ",")


@cache
def _table(package: str = PACKAGE) -> dict[str, dict[str, str]]:
    return tomllib.loads(files(package).joinpath("messages.toml").read_text(encoding="utf-8"))
