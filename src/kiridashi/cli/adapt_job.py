"""The work of `kiridashi adapt`."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiridashi.cli.classes_told import Told, count
from kiridashi.cli.failures import Interrupted
from kiridashi.cli.progress import Display
from kiridashi.cli.suggest import check_choice
from kiridashi.core.errors import InputError, UsageError
from kiridashi.data.files import one_line

if TYPE_CHECKING:
    from kiridashi.adapt.adapting import Earlier, Outcome
    from kiridashi.adapt.budget import Budget
    from kiridashi.adapt.options import AdaptOptions
    from kiridashi.adapt.samples import Sample
    from kiridashi.classes.samples import Unusable
    from kiridashi.evaluate.pictures import PictureSet
    from kiridashi.models.promptable import PromptableModel

# What a run goes on from, and what it was asked for.
CHECKPOINT, ASKED = "state.safetensors", "asked.json"
KIND_NAMES = {"box": "boxes", "click": "one click", "prior": "segment"}


@dataclass(frozen=True)
class AdaptJob:
    """What the user asks of `adapt`; see its options."""

    data: Path
    out: Path
    what: str = "decoder"
    model: str = "compact"
    shots: int | None = None
    classes: tuple[str, ...] = ()
    pictures: Path | None = None
    go_on: Path | None = None
    keep_samples: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False

    def run(self) -> Told:
        """Do it all.

        Raises:
            UsageError: the options or the folder do not fit, or there are too few pictures.
            InputError: no picture, or the checkpoint or the earlier delta cannot be used.
            ModelUnavailableError: the model's files are not here.
            Interrupted: Ctrl-C; --resume goes on.
        """
        from kiridashi.models.catalogue import find_card
        from kiridashi.models.delta.parts import PARTS

        check_choice("--what", self.what, PARTS)
        if find_card(self.model).adapted:
            raise UsageError("--model has a delta in it already; name the base, and the delta by --continue")
        options = self._options()
        self._make_room()
        began = time.perf_counter()
        with Display(quiet=self.quiet) as display:
            with display.waiting("reading the pictures"):
                samples, left_out = self._samples()
            with display.waiting("loading the model"):
                model = self._model()
                earlier = self._earlier()
            # Last, so that a folder holds a run only when there is one.
            budget = self._begin(options, samples)
            done = self._adapt(model, samples, options, earlier, budget, display)
        self._write(model, done)
        return self._told(done, time.perf_counter() - began, left_out)

    def _options(self) -> "AdaptOptions":
        from kiridashi.adapt.options import AdaptOptions
        from kiridashi.models.delta.parts import check_part

        chosen = {name: value for name, value in self.settings.items() if value is not None}
        return AdaptOptions(part=check_part(self.what), seed=self.seed, **chosen)

    def _make_room(self) -> None:
        """Refuse to mix this run with another one's results, or with what is somebody else's."""
        from kiridashi.adapt.memory import FOLDER
        from kiridashi.models.delta.opening import CARD_FILE

        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite contradict each other; give one of them")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(one_line(f"{self.out}: --out names a folder, and this is a file"))
        if self.overwrite and self.go_on is not None and self.go_on.resolve() == self.out.resolve():
            raise UsageError("--overwrite would remove the delta that --continue names; name another --out")
        begun, finished = (self.out / CHECKPOINT).is_file(), (self.out / CARD_FILE).is_file()
        if finished and not self.overwrite:
            raise UsageError(
                one_line(f"{self.out} holds an adapting already; add --overwrite, or name another --out")
            )
        if (self.out / FOLDER).exists() and not (begun or finished):
            raise UsageError(
                one_line(f"{self.out} holds a folder {FOLDER} that no adapting wrote; name another --out")
            )
        if begun and not (self.resume or self.overwrite):
            raise UsageError(
                one_line(f"{self.out} holds an interrupted run; add --resume to go on, or --overwrite")
            )

    def _clear(self) -> None:
        """Remove what this verb writes, and nothing else."""
        from kiridashi.adapt.memory import FOLDER
        from kiridashi.models.delta.opening import CARD_FILE, DELTA_FILE

        for name in (CHECKPOINT, ASKED, CARD_FILE, DELTA_FILE):
            (self.out / name).unlink(missing_ok=True)
        shutil.rmtree(self.out / FOLDER, ignore_errors=True)

    def _source(self) -> "PictureSet":
        from kiridashi.evaluate.episodes import FewShotSet
        from kiridashi.evaluate.pictures.annotated import open_annotated

        if self.pictures is None and all((self.data / part).is_dir() for part in ("images", "masks")):
            return FewShotSet(self.data)
        return open_annotated(self.data, self.pictures, None)

    def _samples(self) -> tuple[list["Sample"], list["Unusable"]]:
        """The samples of every class, and the pictures that cannot be used.

        Raises:
            InputError: none can be used.
        """
        import numpy as np

        from kiridashi.adapt.samples import Sample
        from kiridashi.classes.samples import Unusable

        source = self._source()
        for name in self.classes:
            check_choice("--class", name, tuple(source.classes))
        found: list[Sample] = []
        left_out: dict[str, Unusable] = {}
        for number, (label, names) in enumerate(source.classes.items()):
            if self.classes and label not in self.classes:
                continue
            order = np.random.default_rng([self.seed, number]).permutation(len(names))
            taken = 0
            for place in order:
                if taken == self.shots:
                    break
                try:
                    one = source.read(names[place], label)
                except InputError as error:
                    left_out[names[place]] = Unusable(names[place], one_line(str(error)))
                    continue
                found.append(Sample(one.picture, one.mask, label, one.ignore))
                taken += 1
        if not found:
            raise InputError(
                f"{self.data}: no picture with a mask can be used; {next(iter(left_out.values())).reason}"
            )
        return found, list(left_out.values())

    def _begin(self, options: "AdaptOptions", samples: list["Sample"]) -> "Budget":
        """What the machine offers, or offered: an interrupted run goes on only as it began.

        Raises:
            UsageError: it began with something else.
        """
        import json

        from kiridashi.adapt.budget import Budget, this_machine
        from kiridashi.data.atomic import write_json

        asked = {
            "options": options.to_dict(),
            "model": self.model,
            "continue": str(self.go_on),
            "samples": [f"{one.label} {one.picture.digest} {one.mask.area}" for one in samples],
        }
        path = self.out / ASKED
        if self.resume and (self.out / CHECKPOINT).is_file():
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                # What JSON makes of it: tuples become lists.
                if kept["asked"] == json.loads(json.dumps(asked)):
                    return Budget(int(kept["budget"]["cores"]), int(kept["budget"]["memory"]))
            except (OSError, ValueError, KeyError, TypeError):
                pass
            raise UsageError(
                one_line(f"{self.out} holds a run with other settings or pictures; repeat it as it was begun")
            )
        if self.overwrite:
            self._clear()
        budget = this_machine()
        write_json(path, {"asked": asked, "budget": asdict(budget)})
        return budget

    def _model(self) -> "PromptableModel":
        from kiridashi.models import loading

        return loading.load_model(self.model)

    def _earlier(self) -> "Earlier | None":
        if self.go_on is None:
            return None
        from kiridashi.adapt.adapting import Earlier
        from kiridashi.adapt.memory import FOLDER, recall
        from kiridashi.models.delta import delta_file, open_delta

        delta = open_delta(self.go_on)
        if delta.card.part != self.what:
            raise UsageError(
                f"{self.go_on} is a delta of the {delta.card.part}; go on with --what {delta.card.part}"
            )
        return Earlier(delta, recall(delta_file(self.go_on).parent / FOLDER))

    def _adapt(
        self,
        model: "PromptableModel",
        samples: list["Sample"],
        options: "AdaptOptions",
        earlier: "Earlier | None",
        budget: "Budget",
        display: Display,
    ) -> "Outcome":
        from kiridashi.adapt.adapting import adapt
        from kiridashi.cli.adapt_priors import cross_fitted

        told = (0, options.epochs)
        with display.part("adapting", unit="epochs") as show:

            def tell(done: int, of: int) -> None:
                nonlocal told
                told = (done, of)
                show(done, of)

            try:
                return adapt(
                    model,
                    samples,
                    options,
                    priors=lambda every: cross_fitted(model, every, self.seed),
                    earlier=earlier,
                    checkpoint=self.out / CHECKPOINT,
                    tell=tell,
                    budget=budget,
                )
            except KeyboardInterrupt as error:
                raise Interrupted(*told, self.out, unit="epochs") from error

    def _write(self, model: "PromptableModel", done: "Outcome") -> None:
        from kiridashi.adapt.memory import FOLDER, keep
        from kiridashi.data.atomic import write_json
        from kiridashi.models.delta.opening import CARD_FILE, DELTA_FILE

        if done.delta is not None:
            done.delta.save(self.out / DELTA_FILE)
            if self.keep_samples:
                keep(self.out / FOLDER, done.division.learned, model.card.image_size)
        # The card last: a folder with a card is a finished one.
        write_json(self.out / CARD_FILE, done.card, indent=1)
        (self.out / ASKED).unlink(missing_ok=True)

    def _told(self, done: "Outcome", seconds: float, left_out: list["Unusable"]) -> Told:
        card, gain = done.card, done.card["gain"]
        learned, aside = card["pictures"], len(done.division.aside)
        tuned = f"{self.what} of {self.model} tuned on {count(learned, 'sample')}"
        took = f"{count(gain['epochs'], 'epoch')}, {seconds:.0f} s"
        lines = [f"{tuned}, measured on {aside} held aside; {took}"]
        lines += [
            f"  {KIND_NAMES[kind]:<10} mean IoU {gain['before'][kind]:.3f} -> {gain['after'][kind]:.3f}"
            for kind in gain["before"]
        ]
        if "replayed" in gain:
            lines.append(f"  earlier samples held aside: {gain['replayed']['mean']:+.3f}")
        interval = f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        if done.delta is None:
            stays = "the model" if self.go_on is None else str(self.go_on)
            lines.append(f"brought nothing ({interval}): {stays} stays as it is, and no delta is written")
        else:
            doubt = "" if gain["low"] > 0 else "; so few pictures leave it in doubt"
            over = "" if self.go_on is None else f" over {self.go_on}"
            lines.append(f"gain{over} {interval}{doubt}")
            lines.append(f"use it: kiridashi segment ... --adapt {self.out}")
        document = {"command": "adapt", "out": str(self.out), "seconds": round(seconds, 3), **card}
        return Told(lines, document, left_out=left_out)
