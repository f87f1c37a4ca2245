"""`kiridashi segment`: find the object of some references in other pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("segment")(segment)


def segment(
    targets: options.Targets,
    reference: Annotated[
        list[Path],
        typer.Option(
            "--reference",
            metavar="PICTURE",
            help="A picture with the object. Repeat for more.",
            show_default=False,
        ),
    ],
    mask: Annotated[
        list[Path],
        typer.Option(
            "--mask",
            metavar="FILE",
            help="Its mask: a picture (non-zero is inside), or a COCO or LabelMe file. "
            "One for each reference, in order.",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    negative: Annotated[
        list[str] | None,
        typer.Option(
            "--negative",
            metavar="PICTURE",
            help="A picture without the object, of a look-alike for instance (or a folder of such). "
            "Repeat for more.",
        ),
    ] = None,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="NAME",
            help="prototype (quick), adapted (learns a small network from the references first; best with "
            "five and more), concat (follows the object as in a video), or cav (as concat, and tries for "
            "each picture whether tuning or made frames in between help; slow). One way of cav, always "
            "taken: cav-dbst, cav-ttga, cav-both, cav-cross-fade, cav-affine.",
        ),
    ] = "prototype",
    transition_preset: options.TransitionPreset = None,
    diffusion_model: options.DiffusionModel = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="TEXT",
            help="For cav: what the object is called, for diffusion models that read text.",
            show_default=False,
        ),
    ] = None,
    choose: Annotated[
        str | None,
        typer.Option(
            "--choose",
            metavar="picture|site",
            help="For cav: choose the way for each picture, or once for all of them, by up to five of them: "
            "quicker.  [default: picture]",
            show_default=False,
        ),
    ] = None,
    cache: options.Cache = None,
    everything_off: Annotated[
        bool,
        typer.Option(
            "--everything-off",
            help="Switch off all that is added to the plain result: the verdict whether the object is "
            "there at all, the check against the references, and the split into instances. "
            "Every picture then gets its best guess as one mask.",
        ),
    ] = False,
    seed: options.Seed = 0,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find the object of the references in every target.

    Writes DIR/masks/STEM.png (0 and 255; empty where the object is absent), DIR/overlays/STEM.jpg,
    DIR/annotations.json (COCO), DIR/results.jsonl (a line a picture) and DIR/report.html (one file);
    with frames between reference and picture also DIR/transitions/STEM.jpg.
    A target that cannot be used is named, and the others are done all the same (exit code 3).
    """
    from kiridashi.cli.bridging import Bridging
    from kiridashi.cli.segment_job import SegmentJob

    job = SegmentJob(
        references=tuple(reference),
        masks=tuple(mask),
        targets=tuple(targets),
        out=out,
        negatives=tuple(negative or ()),
        model=options.adapted_name(model, adapt),
        method=method,
        bridging=Bridging(transition_preset, diffusion_model, label, choose, cache),
        plain=everything_off,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
