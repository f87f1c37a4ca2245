"""What a diagnosis says, as rules found it: names and figures; the words are the report's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Figure = float | int | str


class Where(StrEnum):
    """Where a fault lies."""

    MODEL = "model"
    CLIP = "clip"
    ROBUSTNESS = "robustness"


@dataclass(frozen=True)
class Finding:
    """One fault, or one weakness under a transformation.

    Attributes:
        where: it lies.
        name: of the rule that found it; the texts `finding_NAME` and `advice_NAME` belong to it.
        limit: that the rule holds its first figure against.
        strength: how far beyond the limit it is, 1 at the limit; the strongest is told first.
        figures: evidence, by the names that the text asks for.
    """

    where: Where
    name: str
    limit: float
    strength: float
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        figures = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in self.figures.items()
        }
        return {
            "where": str(self.where),
            "name": self.name,
            "limit": self.limit,
            "strength": round(self.strength, 3),
            "figures": figures,
        }


@dataclass(frozen=True)
class Verdict:
    """All that was found.

    Attributes:
        findings: faults of the model and of the clip, the main one first.
        weaknesses: what the set-up does not stand, the worst first.
        stands: transformations that it stands, as labels.
        untried: those that change nothing before the clip ends.
        parted: the first stage at which object and background part; None: at none.
    """

    findings: Sequence[Finding]
    weaknesses: Sequence[Finding]
    stands: Sequence[str]
    parted: str | None
    untried: Sequence[str] = ()

    @property
    def main(self) -> Finding | None:
        """The fault to see to first; None: no fault."""
        return self.findings[0] if self.findings else None

    @property
    def mildest(self) -> list[Finding]:
        """Of each transformation that is not stood, the mildest copy that is not."""
        found: dict[str, Finding] = {}
        for one in sorted(self.weaknesses, key=lambda one: int(one.figures["severity"])):
            found.setdefault(str(one.figures["transformation"]), one)
        return [one for one in self.weaknesses if one in found.values()]

    def to_json(self) -> dict[str, Any]:
        """For `verdict.json`."""
        return {
            "fault": None if self.main is None else self.main.name,
            "findings": [one.to_json() for one in self.findings],
            "weaknesses": [one.to_json() for one in self.weaknesses],
            "stands": list(self.stands),
            "untried": list(self.untried),
            "parted": self.parted,
        }
