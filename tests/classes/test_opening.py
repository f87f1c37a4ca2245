from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kiridashi.classes import embedding
from kiridashi.classes.classifier import CosineClassifier
from kiridashi.classes.embedding import Embedder
from kiridashi.classes.head import Head, HeadFacts
from kiridashi.classes.opening import (
    classifier_of,
    embedder_of,
    model_of,
    open_detector,
    open_or_create,
    thresholds_of,
)
from kiridashi.classes.rebuilding import rebuild
from kiridashi.classes.registry import Registry, Sample
from kiridashi.core.errors import InputError, UsageError
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.promptable import PromptableModel

MakePicture = Callable[..., Picture]
MakeDisc = Callable[..., Mask]


@pytest.fixture
def sample(
    tiny_compact: PromptableModel, make_picture: MakePicture, make_disc: MakeDisc
) -> Callable[..., Sample]:
    embedder = Embedder(tiny_compact)

    def make(seed: int = 0) -> Sample:
        picture, mask = make_picture(seed=seed, name=f"{seed}.png"), make_disc(radius=6 + seed)
        return Sample(picture, mask, embedder.embed_sample(picture, mask).numpy())

    return make


@pytest.fixture
def store(tmp_path: Path, tiny_compact: PromptableModel, sample: Callable[..., Sample]) -> Path:
    embedder = Embedder(tiny_compact)
    with open_or_create(tmp_path / "store", embedder) as registry:
        registry.add("nut", [sample(0), sample(1)], validation=[sample(2)], threshold=0.4)
        registry.add("bolt", [sample(3)], background=[sample(4)])
    return tmp_path / "store"


def test_a_detector_of_the_classes_that_are_there(store: Path, tiny_compact: PromptableModel) -> None:
    registry, detector = open_detector(store, tiny_compact)
    with registry:
        state = registry.state()
        assert not registry.writable
    assert detector.classifier.names == ("nut", "bolt")
    assert dict(detector.thresholds) == {"nut": 0.4}
    shots = {name: np.array(each.shots) for name, each in state.classes.items()}
    alike = CosineClassifier.of(shots, np.array(state.background))
    assert detector.classifier.rows.equal(alike.rows)
    assert detector.classifier.background.equal(alike.background)


def test_the_same_registry_again_is_opened_and_not_made(store: Path, tiny_compact: PromptableModel) -> None:
    with open_or_create(store, Embedder(tiny_compact)) as registry:
        assert registry.writable
        assert len(registry.state().classes) == 2


def test_files_that_give_no_detector(tmp_path: Path, tiny_compact: PromptableModel) -> None:
    with pytest.raises(InputError, match=r"no such file; `kiridashi classes add NAME"):
        open_detector(tmp_path / "gone", tiny_compact)
    with open_or_create(tmp_path / "new", Embedder(tiny_compact)) as registry:
        assert not len(classifier_of(registry.state()))
        assert thresholds_of(registry.state()) == {}
    with pytest.raises(UsageError, match="no class is registered"):
        open_detector(tmp_path / "new", tiny_compact)


def test_another_model_is_refused_with_the_way_out(
    store: Path, make_compact: Callable[..., PromptableModel]
) -> None:
    other = make_compact(seed=5)
    with pytest.raises(UsageError, match=f"kiridashi classes rebuild --store {store}"):
        open_detector(store, other)
    with pytest.raises(UsageError, match="kiridashi classes rebuild"):
        open_or_create(store, Embedder(other))


def test_a_rebuild_embeds_every_sample_with_the_new_model(
    store: Path, make_compact: Callable[..., PromptableModel], sample: Callable[..., Sample]
) -> None:
    other = Embedder(make_compact(seed=5))
    steps: list[None] = []
    with Registry.open(store, writable=True) as registry:
        done = rebuild(registry, other, reason="new model", step=lambda: steps.append(None))
        state = registry.state()
    assert (done.samples, len(steps)) == (5, 5)
    assert state.fingerprint == other.fingerprint
    for seed, row in ((0, state.classes["nut"].shots[0]), (2, state.classes["nut"].validation[0])):
        one = sample(seed)
        np.testing.assert_allclose(row, other.embed_sample(one.picture, one.mask).numpy(), atol=1e-5)
    for name, each in state.classes.items():
        assert each.threshold == done.state.classes[name].threshold
        np.testing.assert_array_equal(each.shots, done.state.classes[name].shots)
    np.testing.assert_array_equal(state.background, done.state.background)
    registry, _ = open_detector(store, other.eye)
    registry.close()


def test_a_rebuild_that_harms_is_refused(
    store: Path, make_compact: Callable[..., PromptableModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiridashi.classes import rebuilding
    from kiridashi.classes.forgetting import ClassRecall, Forgetting

    worse = Forgetting((ClassRecall("nut", 1, 1.0, 0.0),), ())
    monkeypatch.setattr(rebuilding, "compare", lambda before, after: worse)
    with Registry.open(store, writable=True) as registry:
        before = registry.state().event
        assert rebuild(registry, Embedder(make_compact(seed=5)), fail_on_drop=0.5).event is None
        assert registry.state().event == before


def test_a_head_makes_other_embeddings(
    store: Path, tmp_path: Path, tiny_compact: PromptableModel, make_compact: Callable[..., PromptableModel]
) -> None:
    plain = Embedder(tiny_compact)
    Head(plain.width, HeadFacts(plain.fingerprint, "tiny")).save(tmp_path / "head.safetensors")
    with_head = embedder_of(tiny_compact, tmp_path / "head.safetensors")
    assert with_head.fingerprint != plain.fingerprint
    with pytest.raises(
        UsageError, match=r"made without an embedding head of your own; leave --head out.* --head "
    ):
        open_detector(store, tiny_compact, head=tmp_path / "head.safetensors")
    with pytest.raises(InputError, match="trained on what"):
        embedder_of(make_compact(seed=5), tmp_path / "head.safetensors")


def test_a_registry_names_the_head_that_it_was_made_with(
    store: Path, tmp_path: Path, tiny_compact: PromptableModel
) -> None:
    plain = Embedder(tiny_compact)
    files = tmp_path / "head.safetensors", tmp_path / "other head.safetensors"
    for number, file in enumerate(files):
        head = Head(plain.width, HeadFacts(plain.fingerprint, "tiny"))
        torch.nn.init.constant_(head.narrow.bias, 0.01 * number)
        head.save(file)
    first, other = (embedder_of(tiny_compact, file) for file in files)
    made = tmp_path / "made"
    with open_or_create(made, first) as registry:
        assert registry.state().head == str(files[0])
    with Registry.open(store, writable=True) as registry:
        before = registry.state().event
        rebuild(registry, first)
        assert registry.state().head == str(files[0])
        assert registry.state(before).head is None
    open_detector(store, tiny_compact, head=files[0])[0].close()
    for place in (made, store):
        with pytest.raises(UsageError, match=f"head {files[0]}; name it: --head {files[0]}; or embed"):
            open_or_create(place, plain)
        with pytest.raises(UsageError, match=f"not with {files[1]} as it is now .* --head '{files[1]}'"):
            open_or_create(place, other)
    with Registry.open(store, writable=True) as registry:
        rebuild(registry, plain)
        assert registry.state().head is None
        registry.roll_back(before + 1)
        assert registry.state().head == str(files[0])


def test_a_registry_from_before_the_package_had_a_head_goes_on_without(
    store: Path, tmp_path: Path, tiny_compact: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Embedder(tiny_compact, None)
    shipped = tmp_path / "shipped.safetensors"
    Head(plain.width, HeadFacts(plain.fingerprint, "tiny")).save(shipped)
    monkeypatch.setattr(embedding, "SHIPPED_HEAD", shipped)
    new = embedder_of(tiny_compact)
    assert new.fingerprint != plain.fingerprint
    assert new.head_file is None
    registry, detector = open_detector(store, tiny_compact)
    with registry:
        assert detector.embedder.fingerprint == plain.fingerprint
    # A user's head takes plain embeddings, whatever the package has.
    Head(plain.width, HeadFacts(plain.fingerprint, "tiny")).save(tmp_path / "own.safetensors")
    assert embedder_of(tiny_compact, tmp_path / "own.safetensors").head_file == tmp_path / "own.safetensors"
    with open_or_create(tmp_path / "new", new) as registry:
        assert registry.state().head is None


def test_a_registry_finds_its_model_folder_from_anywhere(
    tmp_path: Path, tiny_compact: PromptableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    card = replace(tiny_compact.card, name="model", source="folder:model")
    with open_or_create("store", Embedder(PromptableModel(tiny_compact.net, card))) as registry:
        state = registry.state()
    assert state.model == str(tmp_path / "model")
    with pytest.raises(
        UsageError, match=f"made with model {tmp_path / 'model'}, which is not there; .*--model"
    ):
        model_of("store", state)
    assert model_of("store", state, tiny_compact) is tiny_compact
