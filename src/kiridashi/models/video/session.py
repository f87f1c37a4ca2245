"""A video session whose memory does not grow with the video.

transformers' `Sam2VideoInferenceSession` keeps every frame and every output. This one keeps what the network
looks at: the prompted frames, the last few spatial memories and the last few object pointers. A model whose
card says `recalls_by_matching` compares frames instead of attending to them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from kiridashi.core.errors import SizeMismatchError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.models.promptable import Features, PromptableModel
from kiridashi.models.video import state
from kiridashi.models.video.attention import AttentionMemory
from kiridashi.models.video.bank import Memory, ObjectBank
from kiridashi.models.video.estimate import Estimate, Estimator
from kiridashi.models.video.matching import RECENT, MatchingMemory, MatchingOptions
from kiridashi.models.video.options import MemoryOptions
from kiridashi.models.video.result import FrameResult, ObjectResult

# Objects decoded together: bounds the memory of a frame with many objects.
OBJECT_BATCH = 8
# From what was found of every object in a frame to the ids of those to remember in it.
Keep = Callable[[Mapping[int, ObjectResult]], Collection[int]]


class VideoSession:
    """Follows objects from frame to frame.

    A picture is encoded once for all objects. Frames may differ in size: each is resized to the
    network's square, and its masks come in its own size. Objects do not influence each other.

    Args:
        model: with a memory (`Sam2VideoModel` or `EdgeTamVideoModel`).
        options: limits of the memory.
        matching: how a model that recalls by matching does so; others take no notice.

    Raises:
        UsageError: the network has no memory, or a limit does not fit it.
    """

    def __init__(
        self,
        model: PromptableModel,
        options: MemoryOptions | None = None,
        matching: MatchingOptions | None = None,
    ) -> None:
        if not hasattr(model.net, "memory_attention"):
            raise UsageError(
                f"{model.card.name} was loaded without its memory; a video needs the video model"
            )
        self.model = model
        matches = model.card.recalls_by_matching
        self.options = (options or MemoryOptions()).fitted(model.net.config, RECENT if matches else None)
        self._frame = 0
        self._banks: dict[int, ObjectBank] = {}
        with torch.inference_mode():
            self._memory = MatchingMemory(model, matching) if matches else AttentionMemory(model.net)
            # Led by a prior, one answer is steadier than the best of three.
            self._estimator = Estimator(model, self.options.multimask and not matches)

    @property
    def frame(self) -> int:
        """Index that the next remembered frame gets."""
        return self._frame

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects followed, in the order of their first prompts."""
        return tuple(self._banks)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all tensors remembered."""
        return sum(tensor.nbytes for bank in self._banks.values() for tensor in bank.tensors())

    @torch.inference_mode()
    def step(
        self,
        picture: Picture,
        prompts: Mapping[int, Prompt | Mask] | None = None,
        *,
        remember: bool = True,
        keep: Keep | None = None,
    ) -> FrameResult:
        """Masks of all objects in the next frame.

        Args:
            picture: the frame.
            prompts: by object id, for this frame. A new id adds an object. A `Prompt` goes through the
                decoder; a `Mask` is taken as the truth (an empty one says that the object is absent).
                Points alone correct what the memory of a known object says; an object with another prompt
                is not looked up in its memory, as in SAM 2.
            remember: False leaves the session as it was: nothing is added, no object and no frame, so
                any number of pictures can be asked for in any order with equal results.
            keep: asked, when the frame is remembered, of which objects; those with a prompt always
                are. None: of all that were found.

        Raises:
            UsageError: there is no object to follow, or a prompt is neither Prompt nor Mask.
            SizeMismatchError: a mask is not of the picture's size.
        """
        prompts = dict(prompts or {})
        self._check(picture, prompts)
        features = self.model.encode(picture)
        found: dict[int, ObjectResult] = {}
        written: dict[int, Memory | None] = {}
        for batch in self._batches(prompts):
            estimate = self._estimate(features, batch, prompts)
            found |= _results(batch, estimate, prompts, picture.size)
            if remember:
                written |= self._write(features, batch, estimate, prompted=batch[0] in prompts)
        result = FrameResult(self._frame, {name: found[name] for name in (*self._banks, *prompts)})
        # Only now, so that a failure half-way leaves the session whole.
        if remember:
            if keep is not None:
                kept = {*keep(found), *prompts}
                written |= {name: None for name in found if name not in kept}
            self._keep(written, prompts)
        return result

    def forget(self, object_id: int) -> None:
        """Stop following an object and free its memory.

        Raises:
            UsageError: it is not followed.
        """
        if object_id not in self._banks:
            raise UsageError(
                f"object {object_id} is not followed; followed are {list(self._banks) or 'none'}"
            )
        del self._banks[object_id]

    def state(self) -> dict[str, Tensor]:
        """Everything remembered as named tensors, ready for safetensors."""
        return state.export(self._frame, self._banks)

    @classmethod
    def from_state(
        cls,
        model: PromptableModel,
        tensors: Mapping[str, Tensor],
        options: MemoryOptions | None = None,
        matching: MatchingOptions | None = None,
    ) -> Self:
        """A session that goes on where the one that gave `state()` was.

        Raises:
            InputError: the tensors are not a state of a session of this model.
        """
        session = cls(model, options, matching)
        shape, pointer_width = session._memory.shape, session._memory.pointer_width
        session._frame, session._banks = state.restore(tensors, session.options, shape, pointer_width)
        return session

    def _check(self, picture: Picture, prompts: Mapping[int, Prompt | Mask]) -> None:
        if not self._banks and not prompts:
            raise UsageError(
                f"{picture.name}: no object to follow; give a prompt for at least one, {{1: prompt}}"
            )
        for object_id, prompt in prompts.items():
            if not isinstance(prompt, Prompt | Mask):
                kind = type(prompt).__name__
                raise UsageError(f"object {object_id}: a prompt is a Prompt or a Mask, got {kind}")
            if isinstance(prompt, Mask) and prompt.size != picture.size:
                raise SizeMismatchError(picture.size, prompt.size, picture.name)

    def _batches(self, prompts: Mapping[int, Prompt | Mask]) -> Iterator[Sequence[int]]:
        """Each prompted object alone, the others a few at a time."""
        yield from ([object_id] for object_id in prompts)
        tracked = [object_id for object_id in self._banks if object_id not in prompts]
        for start in range(0, len(tracked), OBJECT_BATCH):
            yield tracked[start : start + OBJECT_BATCH]

    def _estimate(
        self,
        features: Features,
        batch: Sequence[int],
        prompts: Mapping[int, Prompt | Mask],
    ) -> Estimate:
        prompt = prompts.get(batch[0])
        if isinstance(prompt, Mask):
            return self._estimator.from_mask(features, prompt)
        if prompt is not None and not (batch[0] in self._banks and _corrects(prompt)):
            return self._estimator.from_prompt(features, prompt)
        recalled = [self._memory.read(features, self._banks[object_id], self._frame) for object_id in batch]
        if prompt is not None:
            return self._estimator.corrected(features, prompt, recalled[0])
        return self._estimator.from_memory(features, recalled)

    def _write(
        self, features: Features, batch: Sequence[int], estimate: Estimate, prompted: bool
    ) -> dict[int, Memory | None]:
        """By object; None where it is absent and its memory has no way to say so."""
        tokens = self._memory.write(features, estimate, prompted).to(self.options.dtype)
        kept = (estimate.object_score > 0) | prompted | self._memory.keeps_absent
        # Cloned, because a view would keep the whole batch alive.
        return {
            object_id: Memory(self._frame, tokens[row].clone(), estimate.pointer[row].clone())
            if kept[row]
            else None
            for row, object_id in enumerate(batch)
        }

    def _keep(self, written: Mapping[int, Memory | None], prompts: Mapping[int, Prompt | Mask]) -> None:
        for object_id, memory in written.items():
            if object_id not in self._banks:
                self._banks[object_id] = ObjectBank(self.options)
            if memory is not None:
                self._banks[object_id].add(memory, prompted=object_id in prompts)
        self._frame += 1


def _corrects(prompt: Prompt) -> bool:
    """Whether a prompt says what is wrong with a mask, and not where the object is."""
    return bool(prompt.points) and prompt.box is None and prompt.prior is None


def _results(
    batch: Sequence[int],
    estimate: Estimate,
    prompts: Mapping[int, Prompt | Mask],
    size: tuple[int, int],
) -> dict[int, ObjectResult]:
    results = {}
    for row, object_id in enumerate(batch):
        prompt = prompts.get(object_id)
        given = prompt if isinstance(prompt, Mask) else None
        score, iou = float(estimate.object_score[row]), float(estimate.iou[row])
        logits, guess = (values[row].clone() for values in (estimate.logits, estimate.guess))
        results[object_id] = ObjectResult(logits, score, iou, size, guess, given)
    return results
