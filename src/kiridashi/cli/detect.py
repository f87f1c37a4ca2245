"""`kiridashi detect`: find the objects of registered classes in pictures."""

from typing import Annotated

import typer

from kiridashi.cli import options


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("detect")(detect)


def detect(
    targets: options.Targets,
    store: options.Store,
    out: options.OutFolder,
    model: options.RegistryModel = None,
    adapt: options.Adapt = None,
    head: options.Head = None,
    grid: options.GridSide = 16,
    min_score: Annotated[
        float, typer.Option("--min-score", metavar="X", min=0, max=1, help="Leave objects below it out.")
    ] = 0.0,
    no_record: Annotated[
        bool,
        typer.Option(
            "--no-record", help="Keep no statistics in the registry for `kiridashi classes monitor`."
        ),
    ] = False,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find the objects of all registered classes in every target.

    Writes DIR/annotations.json (COCO; a category's number is the class's own in the registry),
    DIR/masks/STEM.png (0 and 255; all objects together), DIR/overlays/STEM.jpg in the colours of the
    classes, DIR/results.jsonl (a line a picture; with what is doubtful) and DIR/report.html (one file).
    A target that cannot be used is named, and the others are done all the same (exit code 3).
    """
    from kiridashi.cli.detect_job import DetectJob

    job = DetectJob(
        targets=tuple(targets),
        store=store,
        out=out,
        model=options.with_delta(model, adapt),
        head=head,
        grid=grid,
        min_score=min_score,
        record=not no_record,
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
