"""`kiridashi poc`: from a site's own pictures and amounts to go, hold or stop."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options
from kiridashi.cli.default_verb import with_default

HELP = "A proof of concept on your own pictures: what it brings, what it costs, go, hold or stop."

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder that the paths in the site file are relative to, and stay inside of.  "
        "[default: that of the site file]",
        show_default=False,
    ),
]
NoPictures = Annotated[
    bool,
    typer.Option(
        "--no-pictures", help="Leave all pictures out of the report: for those who may not see them."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(cls=with_default("run"), no_args_is_help=True, help=HELP, rich_markup_mode=None)
    verbs.callback()(_poc)
    verbs.command("run")(run)
    verbs.command("new")(new)
    verbs.command("report")(report)
    app.add_typer(verbs, name="poc")


def _poc() -> None:
    """A proof of concept on your own pictures: what it brings, what it costs, go, hold or stop.

    `kiridashi poc SITE.yaml --out DIR` is `kiridashi poc run SITE.yaml --out DIR`.
    """


def run(
    site: Annotated[
        Path,
        typer.Argument(
            metavar="SITE.yaml", help="What `kiridashi poc new` writes, filled in.", show_default=False
        ),
    ],
    out: options.OutFolder,
    data: Data = None,
    language: options.Language = "en",
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="N",
            min=0.01,
            help="Keep to so many minutes; what did not fit in is named.  [default: that of the site file]",
            show_default=False,
        ),
    ] = None,
    adapt: options.Adapt = None,
    no_pictures: NoPictures = False,
    mlflow: Annotated[
        bool, typer.Option("--mlflow", help="Log the run to MLflow too, where MLFLOW_TRACKING_URI says.")
    ] = False,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure every use case of a site file in stages, and write a report to decide from.

    A small set first; then gain and time of every method against the baseline, with intervals; then the best
    one under changed light and cameras; and, of several classes, whether teaching a later one costs an
    earlier one. Writes DIR/report.html (one file that prints well), DIR/summary.json, DIR/log.jsonl, and a
    folder of all answers a use case. A killed run goes on with --resume; the same file, pictures and version
    give the same figures again.
    """
    from kiridashi.cli.poc_job import PocJob

    job = PocJob(
        site=site,
        out=out,
        data=data,
        language=language,
        minutes=minutes,
        adapt=adapt,
        shown=not no_pictures,
        mlflow=mlflow,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def new(
    path: Annotated[
        Path, typer.Argument(metavar="SITE.yaml", help="File to write.", show_default=True)
    ] = Path("site.yaml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of this name.")] = False,
) -> None:
    """Write a site file with every key explained, to be filled in."""
    from kiridashi.cli.poc_job import write_example

    write_example(path, overwrite=overwrite)
    print(f"wrote {path}: fill it in, then run `kiridashi poc {path} --out DIR`")


def report(
    out: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a run of `kiridashi poc`.", show_default=False)
    ],
    language: options.Language = "en",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="Write it there.  [default: DIR/report.html]", show_default=False
        ),
    ] = None,
    data: Data = None,
    no_pictures: NoPictures = False,
    quiet: options.Quiet = False,
) -> None:
    """Make the report of a run again, in another language or without pictures; nothing is measured."""
    from kiridashi.cli.poc_job import make_report

    path = make_report(out, language, to, data, shown=not no_pictures)
    if not quiet:
        print(f"look at {path}")
