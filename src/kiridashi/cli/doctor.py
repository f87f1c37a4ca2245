"""`kiridashi doctor`: what is installed, and what is wrong."""

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor")(doctor)


def doctor(as_json: options.AsJson = False) -> None:
    """Print versions, device, model files and what is wrong."""
