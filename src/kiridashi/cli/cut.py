"""`kiridashi cut`: cut out one object by prompts, or many by a file of prompts."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options
from kiridashi.core.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("cut")(cut)


def cut(
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="PATH", help="The mask to write; with --prompts the folder.", show_default=False
        ),
    ],
    picture: Annotated[
        Path | None, typer.Argument(metavar="[PICTURE]", help="The picture to cut from.", show_default=False)
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="X,Y[,0|1]",
            help="A pixel on the object (1, default) or beside it (0). Repeat for more.",
        ),
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="A box around the object, in pixels.")
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option("--prior", metavar="FILE", help="A rough mask of the object, of the picture's size."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE.jsonl",
            help='Many at once, a line each: {"id", "image", "points": [[x, y, label], ...], '
            '"box": [x0, y0, x1, y1]}. Paths are relative to the file.',
        ),
    ] = None,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Cut one object out of PICTURE by points, a box or a rough mask; or many by --prompts.

    One: writes the mask (0 and 255) to --out. Many: writes DIR/masks/ID.png and DIR/results.jsonl;
    a line that cannot be done is named, and the others are done all the same (exit code 3).
    """
    given = [
        name
        for name, value in (("PICTURE", picture), ("--point", point), ("--box", box), ("--prior", prior))
        if value
    ]
    if prompts is not None:
        if given:
            raise UsageError(f"--prompts brings its own pictures and prompts; leave out {', '.join(given)}")
        from kiridashi.cli.cut_job import cut_many

        name = options.adapted_name(model, adapt)
        raise typer.Exit(cut_many(prompts, out, name, quiet=quiet, as_json=as_json))
    if picture is None:
        raise UsageError("name the PICTURE to cut from, or a file of prompts with --prompts")
    if len(given) == 1:
        raise UsageError("say what to cut: --point x,y, --box x0,y0,x1,y1 or --prior mask.png")
    from kiridashi.cli.cut_job import cut_one
    from kiridashi.cli.prompts import parse_box, parse_point

    points = [parse_point(text) for text in point or ()]
    cut_one(
        picture,
        points,
        None if box is None else parse_box(box),
        prior,
        out,
        options.adapted_name(model, adapt),
        quiet=quiet,
        as_json=as_json,
    )
