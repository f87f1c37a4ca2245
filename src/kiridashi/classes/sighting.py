"""One picture through the detector: its objects, what may be others, and what is worth remembering of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kiridashi.classes.detector import Detector, Judgement
from kiridashi.classes.registry import Statistic
from kiridashi.core.geometry.nms import mask_nms
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segment, Segments

# Of a doubtful mask: with more than this inside of what has a name, it is a part of that.
MOST_INSIDE = 0.5


@dataclass(frozen=True, eq=False)
class Sighting:
    """What a detector makes of one picture.

    Attributes:
        segments: the objects, and as `doubtful` what resembles a class more than the background, and yet
            less than that class demands.
        statistics: one row for each object, and one for the picture with the number of proposals that no
            class took.
    """

    segments: Segments
    statistics: tuple[Statistic, ...]


def sight(
    detector: Detector, picture: Picture, identities: Mapping[str, int], min_score: float = 0.0
) -> Sighting:
    """Look at one picture.

    Args:
        detector: of the classes.
        picture: to look at.
        identities: of the classes by name.
        min_score: objects below it are left out, 0..1; the statistics have them all the same, so that
            they can be compared from run to run.

    Raises:
        UsageError: the model's mask decoder is not trained.
    """
    judgements = detector.judge(detector.propose(picture))
    found = detector.select(picture.size, judgements)
    statistics = _statistics(picture, found, judgements, identities)
    kept = tuple(segment for segment in found if segment.score >= min_score)
    doubtful = _doubtful(found, judgements, detector.settings.same_class_iou)
    return Sighting(replace(found, items=kept, doubtful=doubtful), statistics)


def _doubtful(found: Segments, judgements: Sequence[Judgement], iou: float) -> tuple[Segment, ...]:
    """The best of overlapping doubtful masks outside of what was found, best first."""
    named = [segment.mask for segment in found]
    unsure = [
        Segment(one.proposal.mask, one.score, one.nearest)
        for one in judgements
        if one.name is None and one.nearest is not None and not one.background
    ]
    apart = [
        segment
        for segment in unsure
        if all(segment.mask.intersection(mask) <= MOST_INSIDE * segment.mask.area for mask in named)
    ]
    kept = mask_nms([segment.mask for segment in apart], [segment.score for segment in apart], iou)
    return tuple(apart[index] for index in kept)


def _statistics(
    picture: Picture, found: Segments, judgements: Sequence[Judgement], identities: Mapping[str, int]
) -> tuple[Statistic, ...]:
    now = datetime.now(UTC)
    # A found object's mask is that of its proposal, the very same.
    by_mask: dict[int, Judgement] = {id(one.proposal.mask): one for one in judgements}

    def row(segment: Segment) -> Statistic:
        mask: Mask = segment.mask
        return Statistic(
            time=now,
            picture=picture.name,
            digest=picture.digest,
            class_name=segment.label,
            score=segment.score,
            distance=1 - by_mask[id(mask)].cosine,
            identity=identities[segment.label],
        )

    unknown = sum(one.name is None for one in judgements)
    whole = Statistic(now, picture.name, picture.digest, None, None, unknown=unknown)
    return (*map(row, found), whole)
