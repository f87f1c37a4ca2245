"""`kiridashi data`: convert, check, split and count annotated sets of pictures."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options

HELP = "Convert, check, split and count annotated sets of pictures."
_NAMES = "coco|yolo|labelme|label-studio|cvat|voc|label-map|instance-map"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="The file or folder that the annotation tool wrote: COCO, YOLO, LabelMe, Label Studio, CVAT for "
        "images, Pascal VOC, or label maps (images/, masks/, meta.json).",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help=f"{_NAMES}.  [default: found out]", show_default=False),
]
Tags = Annotated[
    Path | None,
    typer.Option(
        "--tags",
        metavar="FILE.csv",
        help="Tags of the pictures: a column `picture`, and one for each tag.  [default: tags.csv in DATA]",
        show_default=False,
    ),
]
Bring = Annotated[
    str,
    typer.Option(
        "--bring", metavar="copy|link|none", help="Copy the picture files, link them, or leave them out."
    ),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="FORMAT", help=f"{_NAMES}.  [default: that of DATA]", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(no_args_is_help=True, help=HELP, rich_markup_mode=None)
    verbs.command("convert")(convert)
    verbs.command("check")(check)
    verbs.command("split")(split)
    verbs.command("stats")(stats)
    app.add_typer(verbs, name="data")


def convert(
    data: Data,
    out: options.OutFolder,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=_NAMES, show_default=False)],
    from_: From = None,
    pictures: options.Pictures = None,
    tags: Tags = None,
    bring: Bring = "copy",
    shapes: Annotated[
        str,
        typer.Option(
            "--shapes",
            metavar="keep|polygon|bitmap",
            help="Keep outlines and bitmaps, or make all of them the one or the other.",
        ),
    ] = "keep",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Write DATA in another format into a new folder.

    Says what the format has no place for. A picture or annotation that cannot be used is named, and the
    others are written all the same (exit code 3).
    """
    from kiridashi.cli.data_job import Source, convert_set

    source = Source(data, from_, pictures, tags)
    raise typer.Exit(convert_set(source, out, to, bring=bring, shapes=shapes, quiet=quiet, as_json=as_json))


def check(
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for problems.jsonl and report.html.  [default: none is written]",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        Path | None,
        typer.Option(
            "--repair",
            metavar="DIR",
            help="Write what is sound, with what is safe to repair repaired, into this new folder. DATA "
            "stays as it is.",
            show_default=False,
        ),
    ] = None,
    to: To = None,
    from_: From = None,
    pictures: options.Pictures = None,
    likeness: Annotated[
        bool,
        typer.Option(
            "--likeness/--no-likeness", help="Decode the pictures and look for those that look the same."
        ),
    ] = True,
    bring: Bring = "copy",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report that --out holds.")
    ] = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Look through DATA for what spoils a training or an evaluation.

    Finds missing files, sizes that do not agree, empty masks, outlines outside of the picture, unknown
    classes, numbers that are not finite, pictures that look the same, also in two splits, and more. Prints a
    table; exit code 3 when there are errors.
    """
    from kiridashi.cli.data_check_job import CheckJob
    from kiridashi.cli.data_job import Source

    job = CheckJob(
        source=Source(data, from_, pictures, None),
        out=out,
        repair=repair,
        to=to,
        likeness=likeness,
        bring=bring,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(job.run())


def split(
    data: Data,
    out: options.OutFolder,
    parts: Annotated[
        str,
        typer.Option(
            "--parts",
            metavar="NAME=SHARE,...",
            help="Shares (train=0.8,test=0.2), numbers of pictures (train=10,test=40), or rest.",
        ),
    ] = "train=0.8,test=0.2",
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="TAG",
            help="Keep pictures together that agree in this tag, as a serial number or a day. Repeat for "
            "more.",
        ),
    ] = None,
    likeness: Annotated[
        bool,
        typer.Option("--likeness/--no-likeness", help="Keep pictures together that look the same."),
    ] = True,
    to: To = None,
    from_: From = None,
    pictures: options.Pictures = None,
    tags: Tags = None,
    bring: Bring = "copy",
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Divide DATA into parts, every class in proportion, and write it with them into a new folder.

    Writes DIR/splits.csv as well: picture, part and group.
    """
    from kiridashi.cli.data_job import Source, split_set

    source = Source(data, from_, pictures, tags)
    code = split_set(
        source,
        out,
        parts,
        groups=tuple(group or ()),
        likeness=likeness,
        to=to,
        bring=bring,
        seed=seed,
        quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(code)


def stats(
    data: Data,
    from_: From = None,
    pictures: options.Pictures = None,
    tags: Tags = None,
    as_json: options.AsJson = False,
) -> None:
    """Count pictures, objects, classes, sizes and overlaps of DATA."""
    from kiridashi.cli.data_job import Source, tell_figures

    tell_figures(Source(data, from_, pictures, tags), as_json=as_json)
