"""`kiridashi demo`: the main job on a real photograph, with no network."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = Path(
        "demo-out"
    ),
    language: Annotated[
        str, typer.Option("--language", metavar="en|ja", help="Language of the report.")
    ] = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find coins in a museum's photograph: the marked ones are the reference, the others are to be found.

    Needs no network. Compares what is found with outlines that were checked by eye.
    """
    from kiridashi.cli.demo_job import run_demo

    raise typer.Exit(run_demo(out, language, quiet=quiet, as_json=as_json))
