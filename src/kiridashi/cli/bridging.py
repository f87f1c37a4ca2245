"""The options of the `cav` methods: what is asked, what goes unused, what a result depends on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.picture import Picture
from kiridashi.core.segments import Segments
from kiridashi.data.cache_folder import open_cache
from kiridashi.data.pictures import read_picture
from kiridashi.data.targets import Target

if TYPE_CHECKING:
    from kiridashi.reference.cav import CavOptions
    from kiridashi.reference.method import Method

CHOICES = ("picture", "site")
PRESET, DIFFUSION_MODEL, CHOICE = "fast", "compact", "picture"
# Targets that a site is judged by.
SAMPLE = 5
STRIP_HEIGHT, WIDEST_STRIP = 128, 4096


@dataclass(frozen=True)
class Bridging:
    """What the user says of the way from reference to target; None: not said.

    Attributes:
        preset: of the transition.
        diffusion_model: "compact", a hub id or a folder.
        label: what the object is called.
        choose: a bridge for each picture, or one for the site.
        cache: folder of what is learned of pictures.
    """

    preset: str | None = None
    diffusion_model: str | None = None
    label: str | None = None
    choose: str | None = None
    cache: Path | None = None

    @property
    def for_site(self) -> bool:
        """Whether one bridge is chosen for all targets."""
        return self.choose == "site"

    def check(self, methods: Sequence[str]) -> None:
        """See that every option is one that some method has a use for.

        Raises:
            UsageError: one is not, or has a value that is none of those it may have.
        """
        from kiridashi.reference.transition import PRESETS

        uses = _Uses.of(methods)
        self._refuse_idle(uses, methods)
        if self.preset is not None:
            check_choice("transition preset", self.preset, sorted(PRESETS))
        if self.choose is not None:
            check_choice("way to choose (--choose)", self.choose, CHOICES)
        if self.diffusion_model == "":
            raise UsageError(
                "--diffusion-model is empty; give compact, a hub id such as owner/name, or a folder"
            )
        if self.label and (self.diffusion_model or DIFFUSION_MODEL) == DIFFUSION_MODEL:
            raise UsageError(
                "--label is for diffusion models that read text, and the compact one reads none; "
                "leave it out, or name a model with --diffusion-model"
            )

    def settings(self, methods: Sequence[str]) -> dict[str, Any]:
        """What the results depend on, of the options that the methods use."""
        uses, found = _Uses.of(methods), {}
        if uses.frames:
            found["transition preset"] = self.preset or PRESET
        if uses.diffusion:
            found |= {"diffusion model": self.diffusion_model or DIFFUSION_MODEL, "label": self.label or ""}
        if uses.choice:
            found["choose"] = self.choose or CHOICE
        return found

    def options(self, methods: Sequence[str]) -> "CavOptions | None":
        """The settings of the methods; None when none of them is a `cav` method.

        Raises:
            UsageError: the cache folder cannot be written.
        """
        uses = _Uses.of(methods)
        if not uses.frames and not uses.tuning:
            return None
        from kiridashi.reference.cav import CavOptions
        from kiridashi.reference.transition import preset

        transition = replace(preset(self.preset or PRESET), backend=self.diffusion_model or DIFFUSION_MODEL)
        cache = open_cache(self.cache) if uses.cache else None
        return CavOptions(transition=transition, label=self.label or "", cache=cache)

    def _refuse_idle(self, uses: "_Uses", methods: Sequence[str]) -> None:
        given = {
            "--transition-preset": (self.preset, uses.frames, "makes no frames between the pictures"),
            "--diffusion-model": (self.diffusion_model, uses.diffusion, "uses no diffusion model"),
            "--label": (self.label, uses.diffusion, "uses no diffusion model"),
            "--choose": (self.choose, uses.choice, "has nothing to choose among"),
            "--cache": (self.cache, uses.cache, "keeps nothing in a cache"),
        }
        for option, (value, is_used, why) in given.items():
            if value is not None and not is_used:
                raise UsageError(
                    f"{option}: the method {', '.join(methods)} {why}; leave it out, or take --method cav"
                    if len(methods) == 1
                    else f"{option}: none of {', '.join(methods)} has a use for it; leave it out, or add cav"
                )


@dataclass(frozen=True)
class _Uses:
    """What some methods use."""

    frames: bool
    diffusion: bool
    tuning: bool
    choice: bool

    @property
    def cache(self) -> bool:
        return self.diffusion or self.tuning

    @classmethod
    def of(cls, methods: Iterable[str]) -> "_Uses":
        from kiridashi.reference.cav import BRIDGES
        from kiridashi.reference.cav.bridges import CANDIDATES
        from kiridashi.reference.methods import ROWS

        named = [CANDIDATES if method == "cav" else ROWS.get(method, ()) for method in methods]
        bridges = [BRIDGES[name] for names in named for name in names]
        return cls(
            any(bridge.transition != "none" for bridge in bridges),
            any(bridge.transition == "dbst" for bridge in bridges),
            any(bridge.aligned for bridge in bridges),
            any(len(names) > 1 for names in named),
        )


def settle(method: "Method", targets: Sequence[Target], before: Iterable[Mapping[str, str]] = ()) -> None:
    """Choose one bridge for all targets.

    Args:
        method: a fitted `cav`.
        targets: of which a few, evenly spread, are asked; those that cannot be read are left out.
        before: provenance of results that a run to go on with has: its bridge is kept.
    """
    from kiridashi.reference.cav import Cav

    if not isinstance(method, Cav):
        return
    if taken := next((each["bridge"] for each in before if "bridge" in each), None):
        method.bridge_ = taken
        return
    if sample := [picture for target in spread(targets) if (picture := _readable(target))]:
        method.settle(sample)


def spread(targets: Sequence[Target], count: int = SAMPLE) -> list[Target]:
    """At most `count` targets, evenly from the first to the last."""
    if len(targets) <= count:
        return list(targets)
    return [targets[round(place * (len(targets) - 1) / (count - 1))] for place in range(count)]


def strip_of(method: "Method", picture: Picture, segments: Segments) -> Picture | None:
    """The way to a target just segmented, as one picture; None when no frames lie on it."""
    from kiridashi.reference.cav import Cav
    from kiridashi.reference.transition import transition_strip

    if not isinstance(method, Cav):
        return None
    reference, frames = method.frames(picture, segments.provenance["bridge"])
    if not frames:
        return None
    rows, columns = picture.size
    widest = (len(frames) + 1) * columns / rows + reference.picture.size[1] / reference.picture.size[0]
    height = max(min(STRIP_HEIGHT, int(WIDEST_STRIP / widest)), 16)
    return transition_strip(reference.picture, frames, picture, height)


def _readable(target: Target) -> Picture | None:
    try:
        return read_picture(target.path)
    except InputError:
        return None
