"""`kiridashi diagnose`: where an object is lost in a clip, and why; `make` makes sets of changed clips."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options
from kiridashi.cli.default_verb import with_default

HELP = "Say where in a model and under what an object is lost in a clip, and what to change."
DEFAULT = "clip"


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(cls=with_default(DEFAULT), no_args_is_help=True, help=HELP, rich_markup_mode=None)
    verbs.command(DEFAULT)(diagnose)
    verbs.command("make")(make)
    app.add_typer(verbs, name="diagnose")


def diagnose(
    clip: Annotated[
        Path,
        typer.Argument(
            metavar="CLIP",
            help="A folder of frames, or a video file (needs the extra `video`).",
            show_default=False,
        ),
    ],
    mask: Annotated[
        Path,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="Mask of the object in the first frame; non-zero is inside.",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="DIR",
            help="True masks, one for each frame. Without them the masks of the clip as it is stand in.",
            show_default=False,
        ),
    ] = None,
    transforms: Annotated[
        str,
        typer.Option(
            "--transforms",
            metavar="five|all|none|NAME,...",
            help="Changed copies that are followed as well: cut, occlusion, lighting, speed, viewpoint; one "
            "of every family; none; or names, each with a severity if wanted (blur as sensor-blur:4). "
            "`kiridashi diagnose make . --out . --transforms list` shows all names.",
        ),
    ] = "five",
    severity: Annotated[
        str,
        typer.Option("--severity", metavar="N,...", help="Of those without one, 1 to 5, 5 the hardest."),
    ] = "3",
    prompts: Annotated[
        str,
        typer.Option(
            "--prompts",
            metavar="all|none|NAME,...",
            help="Other prompts to try: present (a mask in every fifth frame), point (one click), absent.",
        ),
    ] = "all",
    donor: Annotated[
        Path | None,
        typer.Option(
            "--donor",
            metavar="DIR",
            help="Frames of another scene, for cuts and backgrounds.  [default: a drawn scene]",
            show_default=False,
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option("--frames", metavar="N", max=400, help="Look at the first N frames at most.")
    ] = 80,
    gate_off: Annotated[
        bool, typer.Option("--gate-off", help="As of `kiridashi track`: remember unlike frames too.")
    ] = False,
    language: options.Language = "en",
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    seed: options.Seed = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the diagnosis that DIR holds; add runs to it.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Say at which stage of the model, and under what change of the clip, the object is lost, and why.

    The model is looked at stage by stage while it follows the object: on its first frame alone (a
    self-test), on the clip as it is, on changed copies and with other prompts. DIR/report.html has the
    verdict with its evidence and what to change: camera, light, frame rate or memory; DIR/verdict.json
    the same for programs. The exit code is 0 whatever the verdict, 3 when a run failed.
    """
    from kiridashi.cli.diagnose_job import DiagnoseJob

    job = DiagnoseJob(
        clip=clip,
        mask=mask,
        out=out,
        truth=truth,
        transforms=transforms,
        severity=severity,
        prompts=prompts,
        donor=donor,
        frames=frames,
        gated=not gate_off,
        seed=seed,
        language=language,
        model=options.adapted_name(model, adapt),
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


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
    split: options.ClipSplit = None,
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
