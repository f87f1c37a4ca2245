from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from kiridashi.classes import embedding
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.head import Head, HeadFacts, load_head
from kiridashi.core.errors import InputError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel

FACTS = HeadFacts("eye", "tiny", {"data": "discs"})


def lively(width: int, facts: HeadFacts = FACTS) -> Head:
    torch.manual_seed(1)
    head = Head(width, facts, hidden=8)
    with torch.no_grad():
        head.narrow.weight.normal_(0, 0.3)
    return head.eval()


def test_a_fresh_head_is_the_identity() -> None:
    given = torch.randn(5, 12)
    torch.testing.assert_close(Head(12, FACTS)(given), F.normalize(given, dim=1))


def test_embeddings_come_out_of_unit_length_whatever_theirs_was() -> None:
    given, head = torch.randn(5, 12), lively(12)
    found = head(given)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(head(3 * given), found)
    assert (found - F.normalize(given, dim=1)).norm(dim=1).min() > 0.05


def test_a_saved_head_comes_back(tmp_path: Path) -> None:
    head, path, given = lively(12), tmp_path / "head.safetensors", torch.randn(5, 12)
    head.save(path)
    state = torch.get_rng_state()
    loaded = load_head(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert loaded.facts == FACTS
    assert not loaded.training
    torch.testing.assert_close(loaded(given), head(given), atol=2e-3, rtol=0)
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_what_is_no_head_is_told(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    with pytest.raises(InputError, match="not a head file"):
        load_head(path)
    save_file({"norm.weight": torch.ones(12)}, path)
    with pytest.raises(InputError, match="not a head of this version"):
        load_head(path)
    lively(12).save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="its checksum"):
        load_head(path)


def test_an_embedder_takes_the_head_of_its_own_eye(
    tiny_compact: PromptableModel,
    make_picture: Callable[..., Picture],
    make_disc: Callable[..., Mask],
    tmp_path: Path,
) -> None:
    plain = Embedder(tiny_compact)
    path = tmp_path / "head.safetensors"
    lively(plain.width, HeadFacts(plain.fingerprint, "tiny")).save(path)
    headed = Embedder(tiny_compact, head=load_head(path))
    assert headed.width == plain.width
    assert headed.fingerprint != plain.fingerprint
    before, after = (one.embed_sample(make_picture(), make_disc()) for one in (plain, headed))
    torch.testing.assert_close(after, load_head(path)(before[None])[0].detach())
    assert not torch.allclose(after, before, atol=1e-3)


def test_a_head_of_another_eye_or_width_is_refused(
    make_compact: Callable[..., PromptableModel],
) -> None:
    model, other = make_compact(), make_compact(seed=3)
    plain = Embedder(model)
    facts = HeadFacts(plain.fingerprint, "tiny-compact")
    with pytest.raises(InputError, match=r"what tiny-compact saw then.*run base training again"):
        Embedder(other, Head(plain.width, facts))
    with pytest.raises(InputError, match=r"width 12, the model here gives 432; run base training again"):
        Embedder(model, Head(12, facts))


def test_the_shipped_head_is_used_by_the_eye_that_it_is_for(
    make_compact: Callable[..., PromptableModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = make_compact(), make_compact(seed=3)
    path = tmp_path / "head.safetensors"
    monkeypatch.setattr(embedding, "SHIPPED_HEAD", path)
    assert Embedder(model).head is None
    plain = Embedder(model, None)
    lively(plain.width, HeadFacts(plain.fingerprint, "tiny")).save(path)
    assert isinstance(Embedder(model).head, Head)
    assert Embedder(model).fingerprint != plain.fingerprint
    assert Embedder(model, None).head is None
    assert Embedder(other).head is None
