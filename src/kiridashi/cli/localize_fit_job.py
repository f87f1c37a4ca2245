"""The work of `kiridashi localize fit`."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from kiridashi.cli.classes_told import Told, count, percent
from kiridashi.cli.columns import columns
from kiridashi.cli.failures import Interrupted
from kiridashi.cli.localize_opening import NAMED
from kiridashi.cli.progress import Display, Stages
from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import InputError, KiridashiError, UsageError
from kiridashi.data.files import one_line

if TYPE_CHECKING:
    from kiridashi.localize.labels import LabelledPicture, LabelSet, Refused, WeakSplit
    from kiridashi.localize.trained import Facts, TrainedNetwork
    from kiridashi.localize.training.options import TrainingOptions
    from kiridashi.models.promptable import PromptableModel

# Beyond, rare classes weigh more in training by enough that the user should know.
UNEVEN = 3.0
# Named on the screen; --json has all.
MOST_CLASSES = 30
# A DeiT is tuned as a whole, so gently, as published for CUB.
DEIT_RATE = 1e-4


@dataclass(frozen=True)
class FitJob:
    """What the user asks of `localize fit`; see its options."""

    labels: Path
    out: Path
    pictures: Path | None = None
    normal: tuple[str, ...] = ()
    trunk: str = "compact"
    model: str = "compact"
    checkpoint: str | None = None
    epochs: int | None = None
    area: float | None = None
    held_aside: float | None = None
    seed: int = 0
    cache: Path | None = None
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            UsageError: the options or the folder do not fit, or nothing can be learned from the labels.
            InputError: the labels cannot be read, or none can be used.
            ModelUnavailableError: a model's files are not here.
            Interrupted: Ctrl-C; --resume goes on.
        """
        options = self._options()
        self._make_room()
        began = time.perf_counter()
        with Display(quiet=self.quiet) as display:
            with display.waiting("reading the labels"):
                labels = self._read_labels()
            labels = self._readable(labels, display)
            split = self._split(labels)
            network = self._train(display, labels, split, options)
        return self._told(labels, split, network, time.perf_counter() - began)

    def _options(self) -> "TrainingOptions":
        from kiridashi.localize.gtformer.options import Trunk, published
        from kiridashi.localize.training.options import TrainingOptions

        known = get_args(Trunk)
        trunk: Trunk = known[known.index(check_choice("trunk", self.trunk, known))]
        is_deit = self.trunk != "compact"
        if self.checkpoint is not None and not is_deit:
            raise UsageError("--checkpoint goes with a DeiT trunk; --model names the one of --trunk compact")
        chosen: dict[str, Any] = {"epochs": self.epochs, "area": self.area, "held_aside": self.held_aside}
        options = TrainingOptions(
            seed=self.seed, **{name: value for name, value in chosen.items() if value is not None}
        )
        if is_deit:
            options = replace(options, network=published(trunk), learning_rate=DEIT_RATE)
        # Who asks for fewer epochs wants to be done sooner, with few pictures too.
        share = min(1.0, options.epochs / TrainingOptions().epochs)
        steps = max(1, round(share * options.least_steps))
        # Stopping cannot be put off beyond the last epoch.
        return replace(options, least_steps=steps, least_epochs=min(options.least_epochs, options.epochs))

    def _make_room(self) -> None:
        """Refuse to mix this training with another one's results."""
        from kiridashi.localize.model_folder import CARD
        from kiridashi.localize.training.fitting import RESUMING

        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite contradict each other; give one of them")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(one_line(f"{self.out}: --out names a folder, and this is a file"))
        started = (self.out / RESUMING).is_dir()
        if (self.out / CARD).exists() and not (self.overwrite or (self.resume and started)):
            raise UsageError(
                one_line(
                    f"{self.out} already holds a trained model; add --overwrite to replace it, or name "
                    "another --out"
                )
            )
        if started and not (self.resume or self.overwrite):
            raise UsageError(
                one_line(
                    f"{self.out} holds a training that was interrupted; add --resume to go on with it, or "
                    "--overwrite to begin anew"
                )
            )
        if self.overwrite:
            shutil.rmtree(self.out / RESUMING, ignore_errors=True)

    def _read_labels(self) -> "LabelSet":
        from kiridashi.localize.labels import read_labels

        labels = read_labels(self.labels, self.pictures, self.normal)
        if not labels.classes:
            named, refused = ", ".join(labels.normal_names), labels.refused
            others = f" ({refused[0].file} is left out: {refused[0].reason})" if refused else ""
            raise InputError(
                one_line(
                    f"{self.labels}: every label that can be used says that nothing is there ({named}); "
                    f"label the pictures that show what is to be found with its name{others}"
                )
            )
        return labels

    def _readable(self, labels: "LabelSet", display: Display) -> "LabelSet":
        """The labels without the pictures that cannot be read, which are told with their reasons."""
        from kiridashi.data.pictures import read_picture
        from kiridashi.localize.labels import Refused

        kept: list[LabelledPicture] = []
        refused: list[Refused] = []
        with display.bar("reading the pictures", len(labels.items)) as step:
            for item in labels.items:
                try:
                    read_picture(item.path)
                except KiridashiError as error:
                    path = one_line(str(item.path))
                    refused.append(Refused(path, one_line(str(error)).removeprefix(f"{path}: ")))
                else:
                    kept.append(item)
                step()
        if not kept:
            first = refused[0]
            raise InputError(f"none of the pictures can be read; {first.file}: {first.reason}")
        left = {label for item in kept for label in item.labels}
        return replace(
            labels,
            items=tuple(kept),
            classes=tuple(name for name in labels.classes if name in left),
            refused=(*labels.refused, *refused),
        )

    def _split(self, labels: "LabelSet") -> "WeakSplit":
        from kiridashi.localize.labels import by_split

        split = by_split(labels.items)
        odd = sorted({label for item in split.aside for label in item.labels} - set(split.classes))
        if odd:
            raise UsageError(
                f"the split val has pictures of {odd[0]!r}, of which the split train has none; move some, or "
                "leave them out"
            )
        return split

    def _train(
        self, display: Display, labels: "LabelSet", split: "WeakSplit", options: "TrainingOptions"
    ) -> "TrainedNetwork":
        from kiridashi.data.cache_folder import open_cache
        from kiridashi.localize.training.fitting import train
        from kiridashi.localize.training.options import for_inspection

        if self.trunk == "compact" and any(not one.labels for one in split.train):
            options = for_inspection(options, self.area)
        with display.waiting("loading the model"):
            model = self._model()
            cache = open_cache(self.cache)
        units = {"looking": "pictures", "training": "epochs"}
        stages = Stages(display, units)
        try:
            return train(
                split.train,
                split.classes,
                options,
                self.out,
                stages.tell,
                model=model,
                cache=cache,
                aside=split.aside,
                normal=labels.normal_names,
                notes={} if model is None else {NAMED: self.model},
                checkpoint=self.checkpoint,
            )
        except KeyboardInterrupt as error:
            stage, done, total = stages.told
            raise Interrupted(done, total, self.out, unit=units.get(stage, "steps")) from error
        finally:
            stages.close()

    def _model(self) -> "PromptableModel | None":
        from kiridashi.models import loading

        return loading.load_model(self.model) if self.trunk == "compact" else None

    def _told(
        self, labels: "LabelSet", split: "WeakSplit", network: "TrainedNetwork", seconds: float
    ) -> Told:
        from kiridashi.classes.samples import Unusable

        facts = network.facts
        learned = _Learned.of(labels, split, facts)
        document = {
            "command": "localize fit",
            "out": str(self.out),
            **learned.to_json(),
            "seconds": round(seconds, 3),
        }
        kept = facts.best.get("gtformer", facts.epochs)
        lines = [
            *learned.lines(),
            f"{count(facts.epochs, 'epoch')}, kept what it was after epoch {kept}; {seconds:.0f} s",
            f"use it: kiridashi localize predict PICTURES --model {self.out} --out DIR",
        ]
        return Told(lines, document, left_out=_as_unusable(labels.refused, Unusable))


@dataclass(frozen=True)
class _Learned:
    """What was learned from, and how well."""

    labels: "LabelSet"
    split: "WeakSplit"
    facts: "Facts"

    @classmethod
    def of(cls, labels: "LabelSet", split: "WeakSplit", facts: "Facts") -> "_Learned":
        used = replace(labels, items=(*split.train, *split.aside), classes=facts.classes)
        return cls(used, split, facts)

    @property
    def accuracy(self) -> float | None:
        """Share of right labels on what was held aside; None: nothing was."""
        return self.facts.validation.get("gtformer", {}).get("accuracy")

    @property
    def aside(self) -> int:
        """Pictures that were not learned from."""
        return int(self.facts.pictures.get("held aside", 0))

    def to_json(self) -> dict[str, Any]:
        labels, facts = self.labels, self.facts
        return {
            "pictures": len(labels.items),
            "classes": dict(labels.counts),
            "nothing_there": labels.normal,
            "normal_labels": list(labels.normal_names),
            "imbalance": round(labels.imbalance, 3),
            "not_looked_at": len(self.split.unseen),
            "held_aside": self.aside,
            "accuracy": None if self.accuracy is None else round(self.accuracy, 4),
            "epochs": facts.epochs,
            "best_epochs": dict(facts.best),
            "score_thresholds": dict(facts.score_thresholds),
        }

    def lines(self) -> list[str]:
        labels = self.labels
        lines = [f"{count(len(labels.items), 'picture')} of {count(len(labels.classes), 'class')}"]
        ordered = sorted(labels.counts.items(), key=lambda each: -each[1])
        rows = [(f"  {name}", str(number)) for name, number in ordered[:MOST_CLASSES]]
        if len(ordered) > MOST_CLASSES:
            rows.append((f"  and {len(ordered) - MOST_CLASSES} more classes", ""))
        if labels.normal:
            rows.append((f"  nothing there ({', '.join(labels.normal_names)})", str(labels.normal)))
        lines += columns(rows, right=[1])
        return [*lines, *self._remarks(ordered), self._aside_line()]

    def _remarks(self, ordered: Sequence[tuple[str, int]]) -> list[str]:
        remarks = []
        if self.labels.imbalance >= UNEVEN:
            (most, _), (least, _) = ordered[0], ordered[-1]
            remarks.append(
                f"{most!r} has {self.labels.imbalance:.1f} times the pictures of {least!r}; rare classes "
                "weigh more in training, and more pictures of them help most"
            )
        single = [name for name, number in ordered if number == 1]
        if single:
            remarks.append(
                f"only one picture of {', '.join(map(repr, single[:3]))}: what is learned of it is that "
                "picture"
            )
        if not self.labels.normal and len(ordered) == 1:
            remarks.append("no picture in which nothing is there: every picture will be said to show it")
        if self.split.unseen:
            remarks.append(f"{count(len(self.split.unseen), 'picture')} of the split test not looked at")
        return remarks

    def _aside_line(self) -> str:
        if self.accuracy is None:
            return "too few pictures to hold any aside, so nobody knows how often the labels come out right"
        return (
            f"of {count(self.aside, 'held-aside picture')}, labels that come out right: "
            f"{percent(self.accuracy)}"
        )


def _as_unusable(refused: "Sequence[Refused]", kind: Any) -> list[Any]:
    return [kind(one.file, one.reason) for one in refused]
