from collections.abc import Callable

import pytest
import torch

from kiridashi.core.reference import Reference
from kiridashi.models.loading import load_model
from kiridashi.models.pooling import mask_share
from kiridashi.reference.prior.estimator import PriorEstimator, fusion_net
from kiridashi.reference.prior.evidence import GRID, Example, look
from kiridashi.reference.prior.fusion import FACTS, FusionNet, gather_evidence, reference_facts
from kiridashi.reference.prior.similarity import LEVELS, remember


def test_the_shipped_weights_fit_the_network_and_are_few() -> None:
    net = fusion_net()
    assert sum(parameter.numel() for parameter in net.parameters()) < 300_000
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_gradients_reach_every_part(disc_site: Callable[..., Reference]) -> None:
    reference = disc_site(0)
    view = look(load_model(), reference.picture)
    examples = [Example(view, reference.mask)]
    estimator = PriorEstimator().fit(examples)
    evidence = gather_evidence(view, estimator.memories_, estimator.forest_, estimator.facts_)
    net = FusionNet()
    fused = net(
        [level[None] for level in evidence.similarity],
        [level[None].clone() for level in evidence.trunk],
        evidence.appearance[None],
        evidence.thumbnail[None],
        evidence.facts[None],
    )
    assert fused.prior.shape == (1, GRID, GRID)
    assert fused.presence.shape == (1,)
    torch.autograd.backward(fused.prior.sum() + fused.presence.sum())
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert silent == []


def test_facts_tell_separation_size_and_shots(disc_site: Callable[..., Reference]) -> None:
    references = [disc_site(seed) for seed in (1, 2)]
    examples = [Example(look(load_model(), r.picture), r.mask) for r in references]
    facts = reference_facts(examples, [remember(examples, level) for level in LEVELS])
    assert facts.shape == (FACTS,)
    assert (facts[:3] > 0.8).all()
    assert float(facts[4]) == pytest.approx(2 / 5)


def test_the_prior_finds_other_discs_and_survives_a_round_trip(disc_site: Callable[..., Reference]) -> None:
    model = load_model()
    reference, target = disc_site(3, discs=2), disc_site(8, discs=3)
    estimator = PriorEstimator(seed=5).fit([Example(look(model, reference.picture), reference.mask)])
    view = look(model, target.picture)
    prior = estimator.predict(view)
    share = mask_share(target.mask, GRID, GRID).numpy()
    both = ((prior.map > 0.5) & (share > 0.5)).sum()
    either = ((prior.map > 0.5) | (share > 0.5)).sum()
    assert both / either > 0.7
    again = PriorEstimator(seed=5).restore(estimator.state()).predict(view)
    assert (again.map == prior.map).all()
    assert again.presence == prior.presence
