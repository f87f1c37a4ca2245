"""`kiridashi diagnose`: clips that are changed in a controlled way."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

HELP = "Clips that are changed in a controlled way."


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)
    verbs.callback()(_diagnose)
    verbs.command("make")(make)
    app.add_typer(verbs, name="diagnose")


def _diagnose() -> None:
    """Clips that are changed in a controlled way."""


def make(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of clips (CLIP/frames, CLIP/masks), one clip, or DAVIS 2016 or 2017 as published.",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="five|all",
            help="five: cut, occlusion, lighting, speed, viewpoint. all: one transformation of every family.",
        ),
    ] = "five",
    severity: Annotated[
        int, typer.Option("--severity", metavar="N", min=1, max=5, help="Of the preset, 5 the hardest.")
    ] = 3,
    transforms: Annotated[
        str | None,
        typer.Option(
            "--transforms",
            metavar="NAME:SEVERITY,...",
            help="These instead of a preset; `--transforms list` shows all names.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="For DAVIS: its list of clips.  [default: val, or all clips without such a list]",
            show_default=False,
        ),
    ] = None,
    frame_format: Annotated[
        str, typer.Option("--format", metavar="jpg|png", help="Of the frames; png changes no pixel.")
    ] = "jpg",
    seed: options.Seed = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Make only what is missing or has changed.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Make everything anew.")] = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Make data sets of transformed clips, with their masks, to see what a tracker stands.

    Every transformation gives a set DIR/NAME-SEVERITY of the layout of DATA, ready for `kiridashi evaluate
    vos`, with a meta.json that says what was done. Other scenes, where they are needed, come from the next
    clip. A clip that fails is named, and the others are made all the same (exit code 3).
    """
    from kiridashi.cli.diagnose_make_job import MakeJob, tell_names

    if transforms == "list":
        tell_names()
        return
    job = MakeJob(
        data=data,
        out=out,
        preset=preset,
        severity=severity,
        transforms=transforms,
        split=split,
        frame_format=frame_format,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
