"""`kiridashi evaluate`: measure methods on pictures whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from kiridashi.cli import options
from kiridashi.cli.default_verb import with_default
from kiridashi.cli.evaluate_pictures import pictures

# Of an episode.
MOST_SHOTS = 16


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verbs = typer.Typer(
        cls=with_default("pictures"),
        no_args_is_help=True,
        help="Measure methods on pictures with truth; `evaluate DATA` is `evaluate pictures DATA`.",
        rich_markup_mode=None,
    )
    verbs.callback()(_evaluate)
    verbs.command("pictures")(pictures)
    verbs.command("cdfss")(cdfss)
    verbs.command("wsol")(wsol)
    verbs.command("vos")(vos)
    app.add_typer(verbs, name="evaluate")


def _evaluate() -> None:
    """Measure methods on pictures with truth; `evaluate DATA` is `evaluate pictures DATA`."""


def cdfss(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Folders: images/ with masks/; clips (CLIP/frames, CLIP/masks); or Deepglobe, ISIC, "
            "LungSegmentation and FSS-1000 of the CD-FSS benchmark (or the folder that holds them).",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="NAME,...",
            help="Methods of `segment`, and the baselines forest and cosine. Differences are to the first.",
        ),
    ] = "concat,prototype",
    shots: options.Shots = "1",
    episodes: Annotated[
        int | None,
        typer.Option(
            "--episodes",
            metavar="N",
            min=1,
            help="Episodes a set and number of shots. Not given: 600, and of FSS-1000 each picture once.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    runs: options.Runs = 1,
    draw: Annotated[
        str,
        typer.Option(
            "--draw",
            metavar="own|patnet|distinct",
            help="Rule that draws episodes. own: as the benchmark for its sets, distinct references for "
            "others. patnet: references of an episode may repeat.",
        ),
    ] = "own",
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=0,
            max=4096,
            help="Resize pictures to this side; 0: never. Not given: 400 for sets of the benchmark, as in "
            "its code, and never for others.",
            show_default=False,
        ),
    ] = None,
    vote: Annotated[
        bool,
        typer.Option(
            "--vote", help="Several references as several answers and a vote, as the benchmark does."
        ),
    ] = False,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    transition_preset: options.TransitionPreset = None,
    diffusion_model: options.DiffusionModel = None,
    cache: options.Cache = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    language: options.Language = "en",
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure reference segmentation by the protocol of cross-domain few-shot segmentation.

    Every method gets the same episodes; its verdict of presence and its split into instances are off.
    Prints a table and writes DIR/table.md, DIR/table.csv, DIR/results.jsonl (a line an episode and
    method) and DIR/report.html (one file); with cav also DIR/bridges.md, which way it chose and what
    that was worth. An episode that fails is named, and the others are done all
    the same (exit code 3). With --resume a run can also be given more methods, shots, sets or episodes.
    """
    from kiridashi.cli.bridging import Bridging
    from kiridashi.cli.evaluate_cdfss_job import CdfssJob
    from kiridashi.cli.lists import names, numbers

    job = CdfssJob(
        data=tuple(data),
        out=out,
        methods=names("--methods", methods),
        shots=numbers("--shots", shots, MOST_SHOTS),
        episodes=episodes,
        seeds=tuple(range(seed, seed + runs)),
        rule=draw,
        side=size,
        by_vote=vote,
        model=options.adapted_name(model, adapt),
        bridging=Bridging(transition_preset, diffusion_model, cache=cache),
        resume=resume,
        overwrite=overwrite,
        language=language,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def wsol(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Folders with images/ and meta.json (and masks/), CUB-200-2011 or ILSVRC (CLS-LOC); or "
            "tables of labels and boxes as for `localize fit`.",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="NAME,...",
            help="Of cam, grad-cam, gtformer, pro2sam, best-predicted, and the baselines whole and centre. "
            "Differences are to the first.",
        ),
    ] = "cam,grad-cam,gtformer,pro2sam,best-predicted,whole,centre",
    test_splits: Annotated[
        str | None,
        typer.Option(
            "--test-splits",
            metavar="NAME,...",
            help="Splits to measure on.  [default: test, or val where there is no such]",
            show_default=False,
        ),
    ] = None,
    tune_on: Annotated[
        str,
        typer.Option(
            "--tune-on",
            metavar="SPLIT|train|none",
            help="Where thresholds are chosen: a split, or a share of train that is then not learned from, "
            "or nowhere. auto: val where it is not measured on, else train.",
        ),
    ] = "auto",
    tune_share: Annotated[
        float, typer.Option("--tune-share", metavar="SHARE", help="Of train, to choose thresholds on.")
    ] = 0.1,
    folds: Annotated[
        int,
        typer.Option("--folds", metavar="N", min=2, max=100, help="For sets without splits: folds."),
    ] = 5,
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            metavar="own|defect",
            help="Which labels are learned: the set's own, or only whether any class is there.",
        ),
    ] = "own",
    pictures: options.TablePictures = None,
    size: Annotated[
        int,
        typer.Option(
            "--size",
            metavar="PIXELS",
            min=0,
            max=4096,
            help="Measure maps, masks and boxes at this side, 224 as published; 0: at a picture's own size.",
        ),
    ] = 224,
    seed: options.Seed = 0,
    runs: options.Runs = 1,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    area: Annotated[
        float | None,
        typer.Option(
            "--area",
            metavar="SHARE",
            min=0.001,
            max=0.95,
            help="Of a picture that what is to be found covers, roughly; as for `localize fit` if not given.",
            show_default=False,
        ),
    ] = None,
    trunk: Annotated[
        str,
        typer.Option(
            "--trunk",
            metavar="compact|deit-small",
            help="compact: blocks on the model's frozen trunk; deit-small: as published, slow without a GPU.",
        ),
    ] = "compact",
    grid: options.GridSide = 16,
    cache: options.PictureCache = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure weakly supervised localisation: learned from labels of pictures, measured on boxes and masks.

    All methods answer from one network a run, and see labels of whole pictures only. Thresholds are chosen on
    pictures that are neither learned from nor measured; what the best threshold for the measured ones would
    give is printed apart, as the oracle's. Writes DIR/table.md, DIR/table.csv, DIR/results.jsonl (a line a
    picture, class and method), DIR/coarse_and_final.csv and .svg, and the networks in DIR/models. With
    --resume a run can also be given more methods, sets or runs.
    """
    from kiridashi.cli.evaluate_wsol_job import WsolJob
    from kiridashi.cli.lists import names
    from kiridashi.evaluate.wsol.splits import Splitting

    tests = () if test_splits is None else names("--test-splits", test_splits)
    job = WsolJob(
        data=tuple(data),
        out=out,
        methods=names("--methods", methods),
        splitting=Splitting(tests, tune_on, tune_share, folds),
        labels=labels,
        pictures=pictures,
        side=size or None,
        seeds=tuple(range(seed, seed + runs)),
        model=options.adapted_name(model, adapt),
        area=area,
        trunk=trunk,
        grid=grid,
        cache=cache,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))


def vos(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            help="Folders of clips (CLIP/frames, CLIP/masks), one clip, or DAVIS 2016 or 2017 as published.",
            show_default=False,
        ),
    ],
    out: options.OutFolder,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            metavar="NAME,...",
            help="Of track (as `kiridashi track` does), track-no-gate (interjections are remembered too), "
            "session (the model's memory alone), and the baselines still and flow. Differences are to the "
            "first.",
        ),
    ] = "track,still,flow",
    results: Annotated[
        list[str] | None,
        typer.Option(
            "--results",
            metavar="NAME=DIR",
            help="Masks that another program wrote, as DIR/CLIP/00000.png. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    split: options.ClipSplit = None,
    model: options.ModelName = "compact",
    adapt: options.Adapt = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            max=256,
            help="Clips at once, but for the network, which takes all cores for one.  [default: all cores]",
            show_default=False,
        ),
    ] = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure video object segmentation by the semi-supervised protocol of DAVIS.

    Every tracker gets the masks of a clip's first frame and follows each object by itself. J is the overlap,
    F how well outlines are met, each with recall and decay, by the rules of the public evaluator; also how
    soon an object is found again that was out of sight. Writes DIR/table.md, DIR/table.csv, DIR/objects.csv
    and DIR/results.jsonl (a line a clip and tracker). A clip that fails is named, and the others are done all
    the same (exit code 3). With --resume a run can also be given more methods, masks or sets.
    """
    from kiridashi.cli.evaluate_vos_job import VosJob
    from kiridashi.cli.lists import names

    job = VosJob(
        data=tuple(data),
        out=out,
        methods=names("--methods", methods) if methods or not results else (),
        results=tuple(results or ()),
        split=split,
        model=options.adapted_name(model, adapt),
        threads=threads,
        resume=resume,
        overwrite=overwrite,
        quiet=quiet,
    )
    raise typer.Exit(job.run().tell(quiet=quiet, as_json=as_json))
