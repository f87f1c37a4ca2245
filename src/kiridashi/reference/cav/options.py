"""Settings of `cav`."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from kiridashi.core.errors import UsageError
from kiridashi.reference.alignment.options import AlignmentOptions
from kiridashi.reference.cav.bridges import BRIDGES, CANDIDATES
from kiridashi.reference.transition.options import TransitionOptions, preset

PromptKind = Literal["mask", "box"]
# Copies of a reference that the tuning meets in turn: as good as a new one each step, at a third of the time.
COPIES = 25


@dataclass(frozen=True)
class CavOptions:
    """How the pair becomes a video and which bridge is taken.

    Attributes:
        bridges: names of `BRIDGES`. Of several, the cycle chooses: the answer is carried back to the
            reference, and the bridge whose answer comes back best is taken.
        transition: of the bridges with DBST, and of the controls.
        alignment: of the bridges with TTGA.
        prompt: how a pseudo mask is given: taken as it is ("mask") or as its box ("box").
        prompt_share: of the frames, from the reference on, that get a pseudo mask; CAV-SAM: the first half.
        video_uses_tuned_neck: run the whole video on the tuned neck, not the pseudo masks only. The
            paper does not say which; off, because the decoder never met that neck.
        margin: how much better than the plain pair's a bridge's cycle IoU must be to be taken, 0..1. On
            pairs of training pictures, the least at which no answer got clearly worse than the plain pair's.
        label: what the object is called, for diffusion models that read text.
        cache: folder of what was learned of references and pictures; None: nothing is kept.
    """

    bridges: tuple[str, ...] = CANDIDATES
    transition: TransitionOptions = field(default_factory=lambda: preset("fast"))
    alignment: AlignmentOptions = field(default_factory=lambda: AlignmentOptions(copies=COPIES))
    prompt: PromptKind = "mask"
    prompt_share: float = 0.5
    video_uses_tuned_neck: bool = False
    margin: float = 0.3
    label: str = ""
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not self.bridges or (unknown := [name for name in self.bridges if name not in BRIDGES]):
            given = ", ".join(unknown) if self.bridges else "none at all"
            raise UsageError(f"bridges are some of {', '.join(BRIDGES)}; got {given}")
        if self.prompt not in get_args(PromptKind):
            raise UsageError(f"prompt is one of {', '.join(get_args(PromptKind))}; got {self.prompt!r}")
        for name in ("prompt_share", "margin"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is 0 to 1, got {getattr(self, name)}")

    def seeded(self, seed: int) -> Self:
        """The same with one seed for tuning and transition."""
        transition, alignment = replace(self.transition, seed=seed), replace(self.alignment, seed=seed)
        return replace(self, transition=transition, alignment=alignment)

    def to_dict(self) -> dict[str, Any]:
        """All fields that results depend on, as JSON types."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "cache"}
        nested = {"transition": self.transition.to_dict(), "alignment": self.alignment.to_dict()}
        return {**fields, **nested, "bridges": list(self.bridges)}
