from collections.abc import Callable

import pytest
import torch

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.reference.transition import (
    TRANSITION_NAMES,
    Transition,
    TransitionOptions,
    compact,
    load_backend,
    make_transition,
)
from kiridashi.reference.transition.compact import CompactBackend

Colour = Callable[..., Picture]


def test_every_name_makes_its_transition(
    backend: CompactBackend, quick: TransitionOptions, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "load_compact", lambda: backend)
    for name in TRANSITION_NAMES:
        made = make_transition(name, quick)
        assert isinstance(made, Transition)
        assert made.name == name
        frames = made.frames(colour(1, 2, 3), colour(200, 2, 3, size=(8, 9)))
        assert [frame.size for frame in frames] == ([] if name == "none" else [(8, 9)] * 2)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean cross-fade"):
        make_transition("crossfade")


def test_a_backend_that_is_neither_folder_nor_id_is_refused() -> None:
    with pytest.raises(UsageError, match="hub id such as owner/name"):
        load_backend("no such thing")


def test_a_loaded_model_can_learn_though_the_caller_only_infers() -> None:
    with torch.inference_mode():
        backend = load_backend("compact")
    assert not any(weight.is_inference() for weight in backend.unet.parameters())
