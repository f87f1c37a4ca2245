"""The work of `kiridashi track`."""

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.failures import ExitCode, Interrupted, tell, wants_debug
from kiridashi.cli.progress import Display, rate_text
from kiridashi.cli.references import mask_digest, read_reference
from kiridashi.cli.suggest import check_choice
from kiridashi.cli.track_prompts import Parsed, Words
from kiridashi.core.errors import KiridashiError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.reference import Reference
from kiridashi.data.files import one_line, reason_of
from kiridashi.video.camera import STOPPED, Camera
from kiridashi.video.clip import Clip
from kiridashi.video.prompting import Finder, Given, Plan
from kiridashi.video.sources import name_of, open_source
from kiridashi.video.video_file import VideoFile

if TYPE_CHECKING:
    from kiridashi.models.promptable import PromptableModel
    from kiridashi.video.output import TrackFolder
    from kiridashi.video.tracker import TrackerOptions

FORMATS = ("png", "rle")
METHOD = "prototype"
# Objects that a reference may find in a frame, the surest.
MOST_FOUND = 16
NO_PROMPT = "say what to follow: --mask, --labels, --box or --point, or --reference with --reference-mask"


@dataclass(frozen=True)
class ClipOutcome:
    """What was done of one clip.

    Attributes:
        name: of the clip.
        out: its folder.
        facts: of its progress; empty when it could not be done.
        frames_per_second: of the frames of this run; None when none was left to do.
        error: why it could not be done; None when it was.
        ending: why a camera or a torn file gave no more pictures; empty where all asked for was done.
    """

    name: str
    out: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    frames_per_second: float | None = None
    error: str | None = None
    ending: str = ""

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        rate = self.frames_per_second
        return {
            "clip": self.name,
            "out": str(self.out),
            **self.facts,
            "frames_per_second": None if rate is None else round(rate, 3),
            "error": self.error,
            "ending": self.ending,
        }

    def line(self) -> str:
        """For a person."""
        frames, found = self.facts["frames"], self.facts["found"]
        others = [kind for kind in ("interjections", "unreadable") if self.facts[kind]]
        parts = [f"object {name} found in {count}" for name, count in found.items()]
        parts += [f"{self.facts[kind]} {kind}" for kind in others]
        rate = f", {rate_text(self.frames_per_second, 'frames')}" if self.frames_per_second else ""
        return f"{self.name}: {frames} frames: {', '.join(parts)}{rate}"


@dataclass(frozen=True)
class TrackSummary:
    """The end of a run over clips."""

    out: Path
    clips: Sequence[ClipOutcome]

    @property
    def exit_code(self) -> ExitCode:
        """0 when every frame of every clip has a result, else 3."""
        spoilt = any(clip.error or clip.ending or clip.facts.get("unreadable") for clip in self.clips)
        return ExitCode.SOME_FAILED if spoilt else ExitCode.DONE

    def tell(self, *, quiet: bool, as_json: bool) -> int:
        """Print it and return the exit code; what could not be done is named also when quiet."""
        if as_json:
            told = {
                "command": "track",
                "out": str(self.out),
                "clips": [clip.to_json() for clip in self.clips],
                "exit_code": int(self.exit_code),
            }
            print(json.dumps(told, ensure_ascii=True))
        elif not quiet:
            for clip in self.clips:
                if clip.error is None:
                    print(clip.line())
            print(f"look at {self.out}")
        for clip in self.clips:
            if clip.error is not None:
                tell(f"{clip.name}: {clip.error}", "not done")
            if clip.ending:
                frames = clip.facts["frames"]
                tell(f"{clip.name}: {clip.ending}, after {frames} frames, which stay in {clip.out}", "ended")
            complaints = clip.facts.get("complaints", [])
            for _, name, why in complaints:
                tell(f"{clip.name}: {name}: {why}", "not done")
            if clip.facts.get("unreadable", 0) > len(complaints):
                tell(f"{clip.name}: {clip.facts['unreadable'] - len(complaints)} more frames", "not done")
        return self.exit_code


@dataclass(frozen=True)
class TrackJob:
    """What the user asks of `track`; see its options.

    Attributes:
        gated: whether frames unlike the memory are kept out of it.
    """

    clips: tuple[str, ...]
    words: Words
    out: Path
    references: tuple[Path, ...] = ()
    reference_masks: tuple[Path, ...] = ()
    threshold: float = 0.5
    gated: bool = True
    mask_format: str = "png"
    overlays: bool = False
    film: bool = False
    most_frames: int | None = None
    model: str = "compact"
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> TrackSummary:
        """Do it all.

        Raises:
            UsageError: the arguments do not fit together, or the only clip's folder cannot be used.
            InputError: a reference, or the only clip, cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C.
        """
        from kiridashi.models.catalogue import find_card

        check_choice("format", self.mask_format, FORMATS)
        find_card(self.model)
        if self.film:
            from kiridashi.video.film import check_films

            check_films()
        parsed = self.words.parse()
        references = self._read_references()
        if bool(references) == self.words.name_objects:
            raise UsageError(NO_PROMPT if not references else "give prompts or references, not both")
        with Display(quiet=self.quiet) as display:
            with display.waiting("loading the model"):
                from kiridashi.models.loading import load_model

                model = load_model(self.model)
                # The command's fault, so it would be the same for every clip.
                model.video()
                finder = _finder(model, references) if references else None
            facts = [_reference_fact(one) for one in references]
            outcomes = [
                self._try(place, name, parsed, finder, facts, model, display)
                for place, name in _named(self.clips)
            ]
        return TrackSummary(self.out, outcomes)

    def _try(
        self,
        place: str,
        name: str,
        parsed: Parsed,
        finder: Finder | None,
        references: Sequence[Any],
        model: "PromptableModel",
        display: Display,
    ) -> ClipOutcome:
        out = self.out if len(self.clips) == 1 else self.out / name
        try:
            clip = open_source(place)
            plan = Plan({} if finder else parsed.prompts(name), parsed.drop_lists(), finder)
            return self._clip(clip, name, out, plan, references, model, display)
        except Interrupted:
            raise
        except KiridashiError as error:
            if len(self.clips) == 1:
                raise
            return ClipOutcome(name, out, error=one_line(str(error)))
        # A defect that one clip brings out must not cost the others.
        except Exception as error:
            if wants_debug() or len(self.clips) == 1:
                raise
            reason = f"unexpected {type(error).__name__}: {reason_of(error)}"
            return ClipOutcome(name, out, error=one_line(reason))

    def _clip(
        self,
        clip: Clip,
        name: str,
        out: Path,
        plan: Plan,
        references: Sequence[Any],
        model: "PromptableModel",
        display: Display,
    ) -> ClipOutcome:
        from kiridashi.video.following import check_plan, follow
        from kiridashi.video.output import Format, TrackFolder
        from kiridashi.video.tracker import Tracker

        check_plan(plan, clip, self.most_frames)
        options = self._options()
        folder = TrackFolder.open(
            out,
            self._settings(clip, plan, references, options),
            mask_format=Format(self.mask_format),
            overlays=self.overlays,
            film=self.film,
            resume=self.resume,
            overwrite=self.overwrite,
        )
        if folder.progress.done and not isinstance(clip, Camera):
            return ClipOutcome(name, out, folder.facts())
        before, started = folder.progress.frames, time.perf_counter()
        tracker = (
            Tracker.from_state(model, folder.memory, options) if folder.memory else Tracker(model, options)
        )
        with ExitStack() as stack:
            total = max(self._expected(clip) - before, 0)
            step = stack.enter_context(display.bar(name, total, unit="frames"))
            stack.enter_context(_stopped_by_ctrl_c(clip))
            try:
                follow(clip, plan, tracker, folder, step, most_frames=self.most_frames)
            except KeyboardInterrupt as error:
                raise self._interrupted(folder, clip) from error
        seconds = time.perf_counter() - started
        rate = (folder.progress.frames - before) / max(seconds, 1e-9)
        ending = clip.ending if isinstance(clip, Camera | VideoFile) else ""
        if ending == STOPPED:
            raise self._interrupted(folder, clip)
        return ClipOutcome(name, out, folder.facts(), rate, ending=ending)

    def _interrupted(self, folder: "TrackFolder", clip: Clip) -> Interrupted:
        done = folder.progress.frames
        return Interrupted(done, max(self._expected(clip), done), folder.path, unit="frames")

    def _expected(self, clip: Clip) -> int:
        """Frames of a clip; 0 where nobody knows."""
        if clip.expected is None:
            return self.most_frames or 0
        return min(clip.expected, self.most_frames or clip.expected)

    def _options(self) -> "TrackerOptions":
        from kiridashi.video.gate import GateOptions
        from kiridashi.video.tracker import TrackerOptions

        return TrackerOptions(self.threshold, gate=GateOptions() if self.gated else None)

    def _settings(
        self, clip: Clip, plan: Plan, references: Sequence[Any], options: "TrackerOptions"
    ) -> dict[str, Any]:
        """All that the results depend on."""
        from kiridashi.models.catalogue import find_card

        card = find_card(self.model)
        gate = options.gate
        return {
            "command": "track",
            "model": card.name,
            "model file": card.sha256 or card.source,
            "threshold": self.threshold,
            "gate": None if gate is None else [gate.distance, gate.likeness],
            "clip": clip.fingerprint,
            "size": list(clip.size),
            "frames": self.most_frames,
            "prompts": [
                [frame, name, _fact(given)]
                for frame, prompts in plan.prompts.items()
                for name, given in prompts.items()
            ],
            "drops": [[frame, list(ids)] for frame, ids in sorted(plan.drops.items())],
            "references": list(references),
        }

    def _read_references(self) -> list[Reference]:
        if len(self.references) != len(self.reference_masks):
            raise UsageError(
                f"{len(self.references)} --reference but {len(self.reference_masks)} --reference-mask; "
                "give one mask for each reference, in the same order"
            )
        return [read_reference(*pair) for pair in zip(self.references, self.reference_masks, strict=True)]


def _finder(model: "PromptableModel", references: Sequence[Reference]) -> Finder:
    from kiridashi.reference.methods import make_method

    method = make_method(METHOD, model).fit(references)

    def find(picture: Picture) -> dict[int, Mask]:
        found = method.predict(picture)[:MOST_FOUND]
        return {number: segment.mask for number, segment in enumerate(found, start=1)}

    return find


@contextmanager
def _stopped_by_ctrl_c(clip: Clip) -> Iterator[None]:
    """Of a camera the first Ctrl-C is the usual end, after the frame at work; the second breaks off."""
    if not isinstance(clip, Camera) or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        clip.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _named(places: Sequence[str]) -> list[tuple[str, str]]:
    """A name for each clip, unique also where letter case makes no difference."""
    named: list[tuple[str, str]] = []
    taken: set[str] = set()
    for place in places:
        stem = name_of(place)
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        named.append((place, name))
    return named


def _reference_fact(reference: Reference) -> list[str]:
    return [reference.picture.digest, mask_digest(reference.mask)]


def _fact(given: Given) -> Any:
    if isinstance(given, Mask):
        return mask_digest(given)
    return [[list(point) for point in given.points], None if given.box is None else list(given.box)]
