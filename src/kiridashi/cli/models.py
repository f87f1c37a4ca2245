"""`kiridashi models`: what there is, and how to fetch it."""

import json
from typing import Annotated

import typer

from kiridashi.cli import options

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model of the list, or a model folder.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(no_args_is_help=True, help="List, show or fetch models.", rich_markup_mode=None)
    verbs.command("list")(list_models)
    verbs.command("show")(show)
    verbs.command("fetch")(fetch)
    app.add_typer(verbs, name="models")


def list_models(as_json: options.AsJson = False) -> None:
    """List the models and say which are on this machine."""
    from kiridashi.models.catalogue import cards

    if as_json:
        print(json.dumps([card.to_dict() for card in cards().values()]))
        return
    rows = [
        (
            card.name,
            f"{card.parameters / 1e6:.1f} M",
            f"{card.image_size} px",
            "here" if card.is_cached else "to fetch",
            card.summary,
        )
        for card in cards().values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip())


def show(name: Name, as_json: options.AsJson = False) -> None:
    """Show the card of a model: source, licence, size, what is trained."""
    from kiridashi.models.catalogue import find_card

    card = find_card(name).to_dict()
    if as_json:
        print(json.dumps(card))
        return
    width = max(map(len, card))
    for key, value in card.items():
        if value not in ("", None):
            print(f"{key.replace('_', ' '):<{width}}  {_plain(value)}")


def fetch(name: Name, quiet: options.Quiet = False) -> None:
    """Fetch a model of the hub to this machine; afterwards it needs no network."""
    from kiridashi.models.fetching import fetch as fetch_model

    folder = fetch_model(name, progress=not quiet)
    if not quiet:
        print(f"{name} is here: {folder}")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {number:g}" for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
