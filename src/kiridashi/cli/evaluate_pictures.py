"""`kiridashi evaluate DATA`: compare methods on one's own pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

# With more pictures than this one trains.
MOST_SHOTS = 100


def pictures(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder with images/ and masks/ (PNG of the same stem; meta.json names classes), or what an "
            "annotation tool wrote (COCO, YOLO-seg, LabelMe, Label Studio, CVAT, VOC).",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="NAME,...",
            help="Methods of `segment`, and the baselines forest (scikit-image's trainable segmentation), "
            "unet (a small U-Net trained on the shots) and cosine. Differences are to the first.",
        ),
    ] = "prototype,forest,unet",
    shots: options.Shots = "1,5",
    seed: options.Seed = 0,
    runs: options.Runs = 3,
    negatives: Annotated[
        int,
        typer.Option(
            "--negatives",
            metavar="N",
            min=0,
            max=1000,
            help="Pictures without the class that the methods are shown too; they are not measured.",
        ),
    ] = 0,
    most: Annotated[
        int | None,
        typer.Option(
            "--most",
            metavar="N",
            min=2,
            help="Measure at most N pictures with a class and N without.  [default: all]",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            metavar="own|any",
            help="own: each class by itself; any: all classes count as one thing.",
        ),
    ] = "own",
    pictures_folder: options.Pictures = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Format of DATA, where it cannot be told (coco, yolo, labelme, label-studio, cvat, voc).",
            show_default=False,
        ),
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(
            "--tags",
            metavar="FILE",
            help="CSV of conditions (picture,light,angle,line,shift ...): figures by each of them.",
            show_default=False,
        ),
    ] = None,
    false_alarm_cost: Annotated[
        float | None,
        typer.Option(
            "--false-alarm-cost",
            metavar="AMOUNT",
            min=0,
            help="Of stopping a picture in which nothing is.",
            show_default=False,
        ),
    ] = None,
    miss_cost: Annotated[
        float | None,
        typer.Option(
            "--miss-cost",
            metavar="AMOUNT",
            min=0,
            help="Of passing a picture in which something is.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="SHARE",
            min=0,
            max=1,
            help="Share of the site's pictures in which something is, for the costs.  [default: as measured]",
            show_default=False,
        ),
    ] = None,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare methods on one's own pictures; `kiridashi evaluate DATA` for short.

    All methods get the same shots, drawn anew in each run, and are measured on every other picture: on how
    well they outline what is there, and on whether they stay quiet where nothing is. Prints a table and
    writes DIR/table.md, DIR/table.csv (all figures with intervals), DIR/results.jsonl (a line a picture and
    method) and DIR/report.html; with --tags DIR/conditions.md, with costs DIR/costs.md. A picture that fails
    is named, and the others are done all the same (exit code 3). With --resume a run can also be given more
    methods, shots or runs.
    """
    from kiridashi.cli.evaluate_pictures_job import PicturesJob
    from kiridashi.cli.lists import names, numbers

    job = PicturesJob(
        data=data,
        out=out,
        methods=names("--methods", methods),
        shots=numbers("--shots", shots, MOST_SHOTS),
        seeds=tuple(range(seed, seed + runs)),
        negatives=negatives,
        most=most,
        labels=labels,
        pictures=pictures_folder,
        format=format_name,
        tags=tags,
        costs=(false_alarm_cost, miss_cost),
        rate=rate,
        model=options.adapted_name(model, adapt),
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
