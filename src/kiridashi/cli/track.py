"""`kiridashi track`: follow objects through clips."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("track")(track)


def track(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIP",
            help="Folders of frames (in the order of their names, 2.png before 10.png); with the extra "
            "`video` also video files, cameras (camera:0) and streams (rtsp://HOST/..., http://HOST/...).",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[ID:]FILE[@FRAME]",
            help="A mask of an object (non-zero is inside) in a frame: object 1 in frame 0 unless said "
            "otherwise. {clip} in FILE stands for the clip's name. Repeat for more.",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            metavar="FILE[@FRAME]",
            help="A label map: its numbers are the ids of the objects. {clip} as above.",
        ),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box", metavar="[ID:]X0,Y0,X1,Y1[@FRAME]", help="A box around an object. Repeat for more."
        ),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point",
            metavar="[ID:]X,Y[,0|1][@FRAME]",
            help="A pixel on an object (1, default) or beside it (0); in a later frame it corrects. "
            "Repeat for more.",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="ID@FRAME", help="Follow an object only up to this frame."),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            metavar="PICTURE",
            help="Instead of prompts: a picture with the object, which is looked for in the first frames.",
        ),
    ] = None,
    reference_mask: Annotated[
        list[Path] | None,
        typer.Option("--reference-mask", metavar="FILE", help="Its mask. One for each reference, in order."),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", metavar="X", min=0, max=1, help="Score from which on an object counts as found."
        ),
    ] = 0.5,
    gate_off: Annotated[
        bool,
        typer.Option(
            "--gate-off",
            help="Also remember frames unlike all before, such as those of a camera cut, and look for the "
            "objects in them.",
        ),
    ] = False,
    mask_format: Annotated[
        str,
        typer.Option("--format", metavar="png|rle", help="How masks are written."),
    ] = "png",
    overlays: Annotated[bool, typer.Option("--overlays", help="Draw every frame too.")] = False,
    film: Annotated[
        bool,
        typer.Option("--film", help="Draw every frame, and make DIR/overlays.webm of them (extra `video`)."),
    ] = False,
    most_frames: Annotated[
        int | None,
        typer.Option("--frames", metavar="N", min=1, help="Stop each clip after so many frames."),
    ] = None,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that DIR holds; the results are the same.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Follow objects through each CLIP from a prompt on, and say in which frames they are lost.

    Writes DIR/masks/00000.png ... (8-bit, value = object id; or DIR/masks.jsonl with COCO run lengths),
    DIR/tracks.csv (a line for each object and frame) and DIR/strip.jpg; with several clips, into
    DIR/NAME/ each. A frame that cannot be read is named and counts as lost; a clip that cannot be
    used is named, and the others are done all the same (exit code 3).

    Of a camera the newest picture is taken whenever the one before is done. It is followed until --frames,
    Ctrl-C or its end; all that is written stays, and --resume goes on with what it remembers.
    """
    from kiridashi.cli.track_job import TrackJob
    from kiridashi.cli.track_prompts import Words

    words = Words(
        tuple(mask or ()), tuple(labels or ()), tuple(point or ()), tuple(box or ()), tuple(drop or ())
    )
    job = TrackJob(
        clips=tuple(clips),
        words=words,
        out=out,
        references=tuple(reference or ()),
        reference_masks=tuple(reference_mask or ()),
        threshold=threshold,
        gated=not gate_off,
        mask_format=mask_format,
        overlays=overlays,
        film=film,
        most_frames=most_frames,
        model=options.adapted_name(model, adapt),
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
