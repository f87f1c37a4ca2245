from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kiridashi.classes.base_training.gathering import Gathered
from kiridashi.classes.base_training.learning import Learned, learn_head
from kiridashi.classes.base_training.options import BaseOptions
from kiridashi.classes.head import Head, HeadFacts
from kiridashi.core.errors import InputError, UsageError

from .material import WIDTH, Killed, Killing, ignore, vectors

OPTIONS = BaseOptions(steps=60, batch=64, check_every=10, patience=6, points=0, learning_rate=1e-3)
TRAINED, STOPPING = tuple("abcde"), tuple("fgh")


def fresh() -> Head:
    torch.manual_seed(0)
    return Head(WIDTH, HeadFacts("eye", "tiny"), hidden=32)


def parts(whole: Gathered) -> tuple[Gathered, Gathered]:
    aside = whole.labels >= len(TRAINED)
    return whole.chosen(~aside), whole.chosen(aside)


def learned(
    head: Head, options: BaseOptions = OPTIONS, file: Path | None = None, whole: Gathered | None = None
) -> Learned:
    material, stopping = parts(whole or vectors())
    return learn_head(head, material, stopping, STOPPING, options, ignore, file)


def test_a_head_learns_what_serves_classes_it_has_not_seen() -> None:
    head = fresh()
    outcome = learned(head, replace(OPTIONS, steps=200))
    assert outcome.best_step > 0
    assert outcome.best > outcome.first + 0.05


def test_without_a_gain_it_stops_early_as_the_identity() -> None:
    whole = vectors()
    shuffled = torch.arange(len(whole.labels))
    material = whole.labels < len(TRAINED)
    order = torch.randperm(int(material.sum()), generator=torch.Generator().manual_seed(0))
    shuffled[material] = shuffled[material][order]
    # What is seen and what it is called have nothing to do with each other.
    noise = Gathered(
        torch.where(material[:, None], whole.embeddings[shuffled], whole.embeddings),
        whole.labels,
        whole.pictures,
        whole.origins,
        whole.names,
    )
    perfect = vectors(nuisance=0)
    noise.embeddings[~material] = perfect.embeddings[~material]
    head = fresh()
    outcome = learned(head, replace(OPTIONS, steps=500), whole=noise)
    assert (outcome.best_step, outcome.steps) == (0, 60)
    assert outcome.best == outcome.first
    torch.testing.assert_close(head(noise.embeddings), noise.embeddings)


def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    one, other, file = fresh(), fresh(), tmp_path / "head.safetensors"
    outcome = learned(one)
    material, stopping = parts(vectors())
    with pytest.raises(Killed):
        learn_head(other, material, stopping, STOPPING, OPTIONS, Killing("head", 30), file)
    assert file.is_file()
    again = fresh()
    assert learned(again, file=file) == outcome
    for ours, theirs in zip(one.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_background_is_learned_with_its_weight() -> None:
    whole = vectors(background=60)
    heads = []
    for weight in (0.0, 0.3):
        heads.append(fresh())
        # Whatever the stopping classes say: what is compared are the last weights.
        options = replace(OPTIONS, steps=10, background_weight=weight)
        learned(heads[-1], options, whole=whole)
    apart = (heads[0](whole.embeddings) - heads[1](whole.embeddings)).norm(dim=1).max()
    assert apart > 1e-4


def test_a_share_of_the_change_is_kept() -> None:
    whole, heads = vectors(), []
    for share in (1.0, 0.25):
        heads.append(fresh())
        assert learned(heads[-1], replace(OPTIONS, steps=20, check_every=20, share=share)).best_step == 20
    for name in ("weight", "bias"):
        kept, full = (getattr(head.narrow, name) for head in reversed(heads))
        torch.testing.assert_close(kept, 0.25 * full)
    moved = [(head(whole.embeddings) - whole.embeddings).norm(dim=1).mean() for head in heads]
    assert moved[1] < 0.6 * moved[0]


def test_a_checkpoint_of_something_else_is_told(tmp_path: Path) -> None:
    file = tmp_path / "head.safetensors"
    learned(fresh(), replace(OPTIONS, steps=10), file)
    narrow = Head(WIDTH, HeadFacts("eye", "tiny"), hidden=8)
    with pytest.raises(InputError, match="not the state of this run"):
        learned(narrow, file=file)
    file.write_bytes(b"no safetensors")
    with pytest.raises(InputError, match="damaged"):
        learned(fresh(), file=file)


def test_a_loss_that_is_no_number_is_told() -> None:
    whole = vectors()
    whole.embeddings[:120] = torch.nan
    with pytest.raises(UsageError, match="take a lower learning_rate"):
        learned(fresh(), whole=whole)
