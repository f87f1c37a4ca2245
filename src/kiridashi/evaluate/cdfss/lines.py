"""One line of a run's `results.jsonl`: what one method made of one episode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.evaluate.episodes import Episode
from kiridashi.evaluate.metrics import Overlap


class Key(NamedTuple):
    """Which episode and which method: there is one valid line for each."""

    set: str
    shots: int
    seed: int
    episode: int
    method: str


@dataclass(frozen=True, eq=False)
class Line:
    """A result, or the reason why there is none.

    Attributes:
        key: episode and method.
        episode: what was asked.
        data: fingerprint of the set's files when it was asked.
        counts: overlap with the truth; None when the episode failed.
        mask: the answer, at the size it was scored at; None when the episode failed.
        fit_seconds: for learning from the references.
        predict_seconds: for the query.
        peak_mib: peak resident memory of the process meanwhile; None where it cannot be asked.
        provenance: how the answer came about; with a vote, one of each.
        error: why there is no result.
    """

    key: Key
    episode: Episode
    data: str
    counts: Overlap | None = None
    mask: Mask | None = None
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    peak_mib: float | None = None
    provenance: tuple[Mapping[str, str], ...] = ()
    error: str | None = None

    def answers(self, episode: Episode, data: str) -> bool:
        """Whether this is a result for just this episode of just these files."""
        return self.error is None and self.episode == episode and self.data == data

    def to_json(self) -> dict[str, Any]:
        """For `results.jsonl`."""
        counts = self.counts
        return {
            **self.key._asdict(),
            "label": self.episode.label,
            "query": self.episode.query,
            "supports": list(self.episode.supports),
            "iou": None if counts is None else round(counts.iou, 6),
            "intersection": None if counts is None else counts.intersection,
            "union": None if counts is None else counts.union,
            "total": None if counts is None else counts.total,
            "fit_seconds": round(self.fit_seconds, 4),
            "predict_seconds": round(self.predict_seconds, 4),
            "peak_mib": None if self.peak_mib is None else round(self.peak_mib, 1),
            "data": self.data,
            "provenance": [dict(each) for each in self.provenance],
            "mask": None if self.mask is None else self.mask.to_rle(),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Line":
        """Read back what `to_json` wrote.

        Raises:
            InputError: the line lacks something or holds what cannot be.
        """
        try:
            key = Key(
                str(line["set"]),
                int(line["shots"]),
                int(line["seed"]),
                int(line["episode"]),
                str(line["method"]),
            )
            supports = tuple(str(name) for name in line["supports"])
            episode = Episode(key.episode, str(line["label"]), str(line["query"]), supports)
            error = line["error"]
            if error is not None:
                return cls(key, episode, str(line["data"]), error=str(error))
            inside, union, total = (int(line[name]) for name in ("intersection", "union", "total"))
            return cls(
                key,
                episode,
                str(line["data"]),
                Overlap(inside, union, total - union, total),
                Mask.from_rle(line["mask"]),
                float(line["fit_seconds"]),
                float(line["predict_seconds"]),
                None if line["peak_mib"] is None else float(line["peak_mib"]),
                # Lines of the first version have none.
                tuple({str(k): str(v) for k, v in each.items()} for each in line.get("provenance", [])),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise InputError("a line of results.jsonl is not one of this evaluation") from err
