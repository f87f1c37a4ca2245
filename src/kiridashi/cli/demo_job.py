"""The work of `kiridashi demo`."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from kiridashi.cli.failures import ExitCode
from kiridashi.cli.segment_job import SegmentJob
from kiridashi.core.adapters.overlay import draw_overlay, side_by_side
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Rgb
from kiridashi.core.segments import Segment, Segments
from kiridashi.data.masks import write_mask
from kiridashi.data.pictures import write_picture
from kiridashi.demo import coins, without_coins
from kiridashi.demo.coins import TOTAL, Coins
from kiridashi.report.folder import REPORT, RESULTS
from kiridashi.report.records import Record

PICTURES, STRIP = "pictures", "coins.jpg"
# From this IoU on, a found object and a coin are the same.
SAME_COIN = 0.5


def run_demo(out: Path, language: str, *, quiet: bool, as_json: bool) -> int:
    """Write the demonstration's pictures, segment them and compare with the truth.

    Returns:
        The exit code.

    Raises:
        KiridashiError: the folder cannot be used.
    """
    started = time.perf_counter()
    scene = coins()
    folder = out / PICTURES
    reference, mask = folder / "reference" / "reference.png", folder / "reference" / "mask.png"
    targets = folder / "targets"
    write_picture(reference, scene.reference.picture.pixels)
    write_mask(mask, scene.reference.mask)
    for picture in (scene.target, without_coins()):
        write_picture(targets / picture.name, picture.pixels)
    results = out / "results"
    job = SegmentJob(
        references=(reference,),
        masks=(mask,),
        targets=(str(targets),),
        out=results,
        overwrite=True,
        language=language,
        quiet=quiet,
    )
    summary = job.run()
    records = {Path(record.file).name: record for record in summary.outcome.records}
    found = records[scene.target.name]
    write_picture(out / STRIP, _strip(scene, found))
    pairs = match(scene.truth, [segment.mask for segment in found.segments()])
    told = {
        "coins_in_photograph": TOTAL,
        "coins_in_reference": TOTAL - len(scene.truth),
        "coins_to_find": len(scene.truth),
        "found": len(found.instances),
        "right": len(pairs),
        "mean_iou": round(sum(iou for _, iou in pairs) / max(len(pairs), 1), 4),
        "iou_of_all_coins_together": round(_together(scene.truth, found), 4),
        "without_coins": records[without_coins().name].verdict,
        "seconds": round(time.perf_counter() - started, 2),
        "report": str(results / REPORT),
    }
    if as_json:
        print(json.dumps(told))
    elif not quiet:
        _tell(told, results, f"kiridashi segment --reference {reference} --mask {mask} --out DIR {targets}")
    return ExitCode.DONE


def match(truth: Sequence[Mask], found: Sequence[Mask]) -> list[tuple[int, float]]:
    """(index in truth, IoU) of the true masks that a found one equals, each found mask used once.

    The best pairs are taken first; a pair counts from an IoU of `SAME_COIN` on.
    """
    pairs = [(real.iou(guess), i, j) for i, real in enumerate(truth) for j, guess in enumerate(found)]
    used_truth: set[int] = set()
    used_found: set[int] = set()
    matched = []
    for iou, i, j in sorted(pairs, reverse=True):
        if iou >= SAME_COIN and i not in used_truth and j not in used_found:
            used_truth.add(i)
            used_found.add(j)
            matched.append((i, iou))
    return matched


def _strip(scene: Coins, found: Record) -> Rgb:
    """What was marked and what was found, side by side."""
    shown = scene.reference
    marked = Segments(shown.picture.size, (Segment(shown.mask, 1.0, "coin"),))
    return side_by_side([draw_overlay(shown.picture, marked), draw_overlay(scene.target, found.segments())])


def _together(truth: Sequence[Mask], found: Record) -> float:
    union = truth[0]
    for mask in truth[1:]:
        union = union | mask
    return union.iou(found.segments().union())


def _tell(told: Mapping[str, object], results: Path, command: str) -> None:
    print(
        f"{told['coins_in_photograph']} coins in the photograph: "
        f"{told['coins_in_reference']} marked, {told['coins_to_find']} to find"
    )
    print(f"found {told['found']}, of which {told['right']} right; mean IoU {told['mean_iou']:.3f}")
    print(f"a photograph without coins, for comparison: {told['without_coins']}")
    print(f"{told['seconds']} s; the report: {told['report']}")
    print(f"results in {results} ({RESULTS}, masks, overlays)\nthe same by hand: {command}")
