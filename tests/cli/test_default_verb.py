import pytest
import typer
from typer.testing import CliRunner

from kiridashi.cli.default_verb import with_default


@pytest.fixture
def app() -> typer.Typer:
    group = typer.Typer(cls=with_default("look"), no_args_is_help=True)

    @group.callback()
    def _group() -> None:
        """Look, or make."""

    @group.command()
    def look(data: str, deep: bool = False) -> None:
        print("looked", data, deep)

    @group.command()
    def make(data: str) -> None:
        print("made", data)

    return group


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pictures"], "looked pictures False"),
        (["--deep", "pictures"], "looked pictures True"),
        (["look", "pictures"], "looked pictures False"),
        (["./make"], "looked ./make False"),
        (["make", "pictures"], "made pictures"),
    ],
)
def test_a_word_that_is_no_verb_goes_to_the_default(app: typer.Typer, words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.output.strip() == said


def test_help_and_no_words_show_the_verbs(app: typer.Typer) -> None:
    for words in (["--help"], []):
        assert "make" in CliRunner().invoke(app, words).output
