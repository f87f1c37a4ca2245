"""`kiridashi segment`: find the object of some references in other pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

Language = Annotated[str, typer.Option("--language", metavar="en|ja", help="Language of the report.")]


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
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="prototype or concat.")
    ] = "prototype",
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
    language: Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find the object of the references in every target.

    Writes DIR/masks/STEM.png (0 and 255; empty where the object is absent), DIR/overlays/STEM.jpg,
    DIR/annotations.json (COCO), DIR/results.jsonl (a line a picture) and DIR/report.html (one file).
    A target that cannot be used is named, and the others are done all the same (exit code 3).
    """
    from kiridashi.cli.segment_job import SegmentJob

    job = SegmentJob(
        references=tuple(reference),
        masks=tuple(mask),
        targets=tuple(targets),
        out=out,
        negatives=tuple(negative or ()),
        model=model,
        method=method,
        plain=everything_off,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
