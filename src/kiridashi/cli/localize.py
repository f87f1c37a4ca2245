"""`kiridashi localize`: boxes and masks from labels of whole pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

Model = Annotated[
    Path,
    typer.Option(
        "--model", metavar="MODEL", help="The folder that `localize fit` has written.", show_default=False
    ),
]
Sam = Annotated[
    str | None,
    typer.Option(
        "--sam",
        metavar="NAME",
        help="What draws the masks: a model of `kiridashi models list`, or a model folder.  [default: the "
        "one that MODEL was trained with]",
        show_default=False,
    ),
]
Normal = Annotated[
    list[str] | None,
    typer.Option(
        "--normal",
        metavar="NAME",
        help="A further label that means that nothing is there, as OK, good, normal, none and 良品 do. "
        "Repeat for more.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(
        no_args_is_help=True,
        help="From labels such as OK, crack or stain to boxes and masks.",
        rich_markup_mode=None,
    )
    verbs.callback()(_localize)
    verbs.command("fit")(fit)
    verbs.command("predict")(predict)
    verbs.command("sweep")(sweep)
    app.add_typer(verbs, name="localize")


def _localize() -> None:
    """From labels such as OK, crack or stain to boxes and masks.

    Nobody draws anything: a small network learns from labels of whole pictures where a class is, roughly, and
    the best of many masks takes its place where one fits.
    """


def fit(
    labels: Annotated[
        Path,
        typer.Option(
            "--labels",
            metavar="FILE|DIR",
            help="A CSV file with the columns picture and label (a split may be a third: train, val, test), "
            "a COCO file, or a folder with one folder of pictures for each class.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="MODEL", help="Folder for what is learned.", show_default=False),
    ],
    pictures: options.TablePictures = None,
    normal: Normal = None,
    trunk: Annotated[
        str,
        typer.Option(
            "--trunk",
            metavar="compact|deit-small",
            help="What looks at the pictures: the frozen trunk of a model here, trained on in minutes; or, "
            "as published, a DeiT that learns too (fetched; wants a GPU).",
        ),
    ] = "compact",
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help="For --trunk compact: a model of `kiridashi models list`, or a model folder, of the compact "
            "kind.",
        ),
    ] = "compact",
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="HUB_ID|FOLDER",
            help="For a DeiT: its weights.  [default: the published ones]",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=1,
            max=10_000,
            help="Go through the pictures at most so often; fewer: sooner done, less learned.  [default: 15]",
            show_default=False,
        ),
    ] = None,
    area: Annotated[
        float | None,
        typer.Option(
            "--area",
            metavar="SHARE",
            min=0.001,
            max=0.95,
            help="Of a picture that what is to be found covers, roughly; for small defects less.  "
            "[default: 0.35; 0.05 where some labels say that nothing is there]",
            show_default=False,
        ),
    ] = None,
    held_aside: Annotated[
        float | None,
        typer.Option(
            "--held-aside",
            metavar="SHARE",
            min=0,
            max=0.5,
            help="Of the pictures, to see when to stop, unless the labels have a split val.  [default: 0.15]",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    cache: options.PictureCache = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that MODEL holds the state of.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what MODEL holds.")] = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Learn from labels of whole pictures.

    Says what was learned from, what had to be left out (exit code 3), and how often the labels of pictures
    come out right that were held aside. Boxes and outlines in a label file are not looked at.
    """
    from kiridashi.cli.localize_fit_job import FitJob

    job = FitJob(
        labels=labels,
        out=out,
        pictures=pictures,
        normal=tuple(normal or ()),
        trunk=trunk,
        model=model,
        checkpoint=checkpoint,
        epochs=epochs,
        area=area,
        held_aside=held_aside,
        seed=seed,
        cache=cache,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet or as_json,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def predict(
    targets: options.Targets,
    model: Model,
    out: options.OutFolder,
    sam: Sam = None,
    adapt: options.Adapt = None,
    points_per_side: Annotated[
        int, typer.Option("--points-per-side", metavar="N", min=1, max=128, help="Masks from N x N points.")
    ] = 16,
    candidates: Annotated[
        int | None,
        typer.Option(
            "--candidates",
            metavar="N",
            min=1,
            help="Only so many of these masks.  [default: all]",
            show_default=False,
        ),
    ] = None,
    matching: Annotated[
        str | None,
        typer.Option(
            "--matching",
            metavar="iou|soft-iou|cosine|inside-outside",
            help="How masks are compared with the coarse map.  [default: cosine]",
            show_default=False,
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            metavar="X",
            min=0,
            max=1,
            help="A class counts as there from this score on.  [default: what the training found for each; "
            "where every picture had one label and none was OK, the likeliest class is always there]",
            show_default=False,
        ),
    ] = None,
    pseudo_labels: Annotated[
        bool,
        typer.Option(
            "--pseudo-labels",
            help="Write DIR/pseudo/CLASS, samples for `classes add`, and DIR/review.csv, the most doubtful "
            "first.",
        ),
    ] = False,
    cache: options.PictureCache = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find class, box and mask in every target, or nothing.

    Writes DIR/annotations.json (COCO), DIR/masks/STEM.png (0 and 255; all objects together),
    DIR/maps/STEM.png (the coarse map, 0 to 255 for 0 to 1), DIR/stages/STEM.jpg (coarse map, candidates and
    choice side by side), DIR/overlays/STEM.jpg, DIR/results.jsonl (a line a picture) and DIR/report.html (one
    file, the most doubtful first). A target that cannot be used is named, and the others are done all the
    same (exit code 3).
    """
    from kiridashi.cli.localize_predict_job import PredictJob

    job = PredictJob(
        targets=tuple(targets),
        model=model,
        out=out,
        sam=options.with_delta(sam, adapt),
        points_per_side=points_per_side,
        candidates=candidates,
        matching=matching,
        min_score=min_score,
        pseudo_labels=pseudo_labels,
        cache=cache,
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet or as_json,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def sweep(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Pictures with labels and boxes or masks: images/ with meta.json (and masks/); a CSV or "
            "COCO file with boxes; or CUB-200-2011 or ILSVRC.",
            show_default=False,
        ),
    ],
    model: Model,
    out: options.OutFolder,
    pictures: options.TablePictures = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="The part of DATA to choose on. Never the one that you report.",
            show_default=False,
        ),
    ] = None,
    points_per_side: Annotated[
        str, typer.Option("--points-per-side", metavar="N,...", help="Grids to try.")
    ] = "8,16,24,32",
    candidates: Annotated[
        str, typer.Option("--candidates", metavar="N,...", help="Numbers of masks to try, or all.")
    ] = "all,16",
    matching: Annotated[
        str, typer.Option("--matching", metavar="NAME,...", help="Ways of matching to try.")
    ] = "iou,soft-iou,cosine,inside-outside",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Pictures at most, drawn by the seed.")
    ] = 100,
    sam: Sam = None,
    adapt: options.Adapt = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Find the grid, the number of candidates and the matching that pay.

    Writes DIR/sweep.csv, DIR/sweep.svg (accuracy against seconds a picture), DIR/recommended.json and
    DIR/results.jsonl. Recommended is the fastest of the settings that no other beats and that are at most one
    point of mean IoU behind the best. Seconds are those of this machine.
    """
    from kiridashi.cli.localize_sweep_job import SweepJob

    job = SweepJob(
        data=data,
        model=model,
        out=out,
        pictures=pictures,
        split=split,
        points_per_side=points_per_side,
        candidates=candidates,
        matching=matching,
        limit=limit,
        sam=options.with_delta(sam, adapt),
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet or as_json,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
