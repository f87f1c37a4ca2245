"""Coarse maps of one picture from a trained network: GTFormer's, and those it is measured against."""

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from kiridashi.core.errors import UsageError
from kiridashi.core.picture import Picture
from kiridashi.localize.coarse import FloatMap, Look
from kiridashi.localize.gtformer.compact import FrozenTrunk
from kiridashi.localize.gtformer.deit import to_pixels
from kiridashi.localize.gtformer.global_tokens import thumbnail
from kiridashi.localize.gtformer.network import Localised
from kiridashi.localize.trained import TrainedNetwork
from kiridashi.models.promptable import PromptableModel

Method = Literal["gtformer", "cam", "grad-cam"]
METHODS: tuple[Method, ...] = get_args(Method)
# A map whose range is smaller than this shows nothing; it is not blown up to 0..1.
LEAST_RANGE = 1e-6


class TrainedLocaliser:
    """A trained network with the model that it looks through: a `CoarseLocaliser`.

    Args:
        model: whose frozen trunk the network was trained on; None for a trunk that is part of the network.
        network: trained.
        classes: names in the order of the scores; None: those of the network.
        method: whose scores and maps are given.

    Raises:
        UsageError: a model is missing, its encoder is another one, the number of classes differs, or there
            is no such method.
    """

    def __init__(
        self,
        model: PromptableModel | None,
        network: TrainedNetwork,
        classes: tuple[str, ...] | None = None,
        method: Method = "gtformer",
    ) -> None:
        facts = network.facts
        self.model, self.network, self.method = model, network.eval(), method
        self._classes = facts.classes if classes is None else classes
        if method not in METHODS:
            raise UsageError(f"method is one of {', '.join(METHODS)}, got {method!r}")
        if len(self._classes) != len(facts.classes):
            raise UsageError(f"the network has {len(facts.classes)} classes, got {len(self._classes)} names")
        self._trunk = None if facts.options.network.is_deit else _trunk(model, network)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the scores."""
        return self._classes

    def look(self, picture: Picture) -> Look:
        """Look at one picture; the model keeps what it encoded, for what is decoded next."""
        if self._trunk is None:
            pixels = to_pixels(picture)[None]
            return coarse_look(self.network, pixels, thumbnail(pixels), self.method)
        seen = self._trunk.see(picture, keep=True)
        # Out of inference mode, whose tensors Grad-CAM cannot use.
        with torch.inference_mode(False):
            patches = self._trunk.patches([level[None].clone() for level in seen.maps])
            return coarse_look(self.network, patches, seen.thumbnail[None].clone().float(), self.method)


def coarse_look(network: TrainedNetwork, inputs: Tensor, thumbnails: Tensor, method: Method) -> Look:
    """Scores and maps of one picture.

    - "gtformer": the map is M_b as it is, not stretched: it stays low where nothing is found. A class's map
      is M_b times the class's probability at each place (softmax over the classes with one label a picture,
      else sigmoid), by `Localised.evidence` if that was trained, else by the class head's maps. The paper
      has the first map only; the others tell several objects apart.
    - "cam" and "grad-cam": each class's map without its negative part, stretched to 0..1; the map is that
      of the best class, as in their papers.

    Args:
        network: in eval mode.
        inputs: (1, ...) of the picture, see `GTFormer.forward`.
        thumbnails: (1, 3, 32, 32).
        method: whose scores and maps.
    """
    with torch.no_grad():
        seen, logits = network(inputs, thumbnails)
    scores = network.scores(logits[method.replace("-", "_")])[0]
    if method == "gtformer":
        return Look(_array(scores), _array(seen.map[0]), _array(_class_maps(network, seen)))
    trunk = seen.trunk
    if method == "cam":
        with torch.no_grad():
            activation = network.cam.activation(trunk)[0].clamp(min=0)
    else:
        activation = network.grad_cam.activation(trunk[0])
    maps = torch.stack([stretched(one) for one in activation])
    return Look(_array(scores), _array(maps[int(scores.argmax())]), _array(maps))


def stretched(one: Tensor) -> Tensor:
    """A (h, w) map stretched to 0..1; zero where it is all but constant."""
    low, high = one.min(), one.max()
    if high - low < LEAST_RANGE:
        return torch.zeros_like(one)
    return (one - low) / (high - low)


def _class_maps(network: TrainedNetwork, seen: Localised) -> Tensor:
    # What was read off a place itself says where a class is; the class head's patches have seen each other.
    is_trained = network.facts.options.evidence_weight > 0
    place = seen.evidence[0] if is_trained else seen.class_maps[0]
    probability = place.softmax(dim=0) if network.facts.single else place.sigmoid()
    return probability * seen.map[0]


def _array(values: Tensor) -> FloatMap:
    # Rounding may leave the last digit outside.
    array: FloatMap = values.detach().clamp(0, 1).numpy().astype(np.float32)
    return array


def _trunk(model: PromptableModel | None, network: TrainedNetwork) -> FrozenTrunk:
    facts = network.facts
    if model is None:
        raise UsageError(f"this network looks through the trunk of {facts.model}; give that model")
    options = facts.options.network
    trunk = FrozenTrunk(model, options.strides, options.grid)
    if trunk.fingerprint != facts.fingerprint:
        raise UsageError(
            f"this network was trained on what {facts.model} saw then (encoder {facts.fingerprint[:12]}); "
            f"the encoder of {model.card.name} here is another one ({trunk.fingerprint[:12]}); name the "
            "model it was trained with, or run localize fit again"
        )
    return trunk
