import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.classifier import FLOOR, MOST_PROTOTYPES, SCALE, CosineClassifier
from kiridashi.core.errors import InputError, UsageError

WIDTH = 6


def shots(seed: int, count: int = 3) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def grown(count: int) -> CosineClassifier:
    made = CosineClassifier(WIDTH)
    for number in range(count):
        made = made.with_class(f"class {number}", shots(number, 1 + number % 4))
    return made


def test_a_row_is_the_normalised_mean_of_normalised_shots() -> None:
    given = shots(0, 4) * torch.tensor([[1.0], [5.0], [0.1], [2.0]])
    lengths = given.norm(dim=1, keepdim=True)
    mean = (given / lengths).mean(dim=0)
    torch.testing.assert_close(
        CosineClassifier(WIDTH).with_class("a", given).row("a"), mean / mean.norm(), atol=1e-6, rtol=0
    )


def test_shots_may_be_numpys() -> None:
    from_torch = CosineClassifier.of({"a": shots(0)}, background=shots(1))
    from_numpy = CosineClassifier.of({"a": shots(0).numpy()}, background=shots(1).numpy())
    assert torch.equal(from_torch.rows, from_numpy.rows)
    assert torch.equal(from_torch.background, from_numpy.background)


@given(st.lists(st.sampled_from(["add", "remove", "shots", "background", "refine", "fork"]), max_size=25))
def test_whatever_happens_every_other_row_stays_bit_identical(changes: list[str]) -> None:
    classifier = grown(2)
    for step, change in enumerate(changes):
        before = {name: classifier.row(name) for name in classifier.names}
        touched = classifier.names[step % len(before)] if before else ""
        if change in ("add", "fork"):
            after = classifier.with_class(f"new {step}", shots(100 + step))
            touched = f"new {step}"
            if change == "fork":
                # The same buffer cannot serve both; neither may see the other's class.
                other = classifier.with_class(f"new {step}", shots(900 + step))
                assert not torch.equal(other.row(touched), after.row(touched))
        elif change == "background":
            after, touched = classifier.with_background(shots(step)), ""
        elif not before:
            continue
        elif change == "remove":
            after = classifier.without(touched)
        elif change == "shots":
            after = classifier.with_shots(touched, shots(200 + step))
        else:
            after = classifier.refined(touched, shots(step), shots(step + 1), steps=2)
        for name, row in before.items():
            assert torch.equal(classifier.row(name), row)
            if name != touched:
                assert torch.equal(after.row(name), row)
        assert set(before) ^ set(after.names) <= {touched}
        classifier = after


def test_a_removed_class_can_come_back_and_order_is_that_of_addition() -> None:
    classifier = grown(3).without("class 1")
    assert classifier.names == ("class 0", "class 2")
    assert "class 1" not in classifier
    back = classifier.with_class("class 1", shots(1, 2))
    assert back.names == ("class 0", "class 2", "class 1")
    assert torch.equal(back.row("class 1"), grown(3).row("class 1"))


def test_the_buffer_grows_by_doubling_and_old_classifiers_keep_seeing_their_own() -> None:
    classifier, buffers = CosineClassifier(WIDTH), set()
    kept = []
    for number in range(200):
        classifier = classifier.with_class(str(number), shots(number, 1))
        buffers.add(classifier.rows.data_ptr())
        kept.append(classifier)
    assert len(buffers) <= 5  # 16, 32, 64, 128, 256
    for count, old in enumerate(kept, start=1):
        assert len(old) == count
        assert old.names[-1] == str(count - 1)
        assert str(count) not in old
    torch.testing.assert_close(kept[9].row("3"), F.normalize(shots(3, 1)[0], dim=0))


def test_scores_are_the_softmax_of_scaled_cosines_with_the_background_last() -> None:
    classifier = grown(3).with_background(shots(50, 4))
    asked = shots(60, 5) * 7
    names, scores = classifier.scores(asked)
    unit = F.normalize(asked, dim=1).numpy()
    cosines = unit @ classifier.rows.numpy().T
    background = np.maximum((unit @ classifier.background.numpy().T).max(1), FLOOR)
    logits = SCALE * np.column_stack([cosines, background])
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert names == ("class 0", "class 1", "class 2")
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-5)


def test_without_classes_everything_is_background() -> None:
    names, scores = CosineClassifier(WIDTH).scores(shots(0))
    assert names == ()
    assert torch.equal(scores, torch.ones(3, 1))
    assert grown(2).scores(torch.empty(0, WIDTH))[1].shape == (0, 3)


def test_what_resembles_nothing_is_background_and_look_alikes_are_too() -> None:
    axes = torch.eye(WIDTH)
    classifier = CosineClassifier.of({"a": axes[:1], "b": axes[1:2]})
    alike = F.normalize(axes[0] + 0.8 * axes[3], dim=0)[None]
    assert classifier.scores(axes[2:3])[1].argmax() == 2
    assert classifier.scores(alike)[1].argmax() == 0
    refusing = classifier.with_background(F.normalize(axes[:1] + axes[3:4], dim=1))
    assert refusing.scores(alike)[1].argmax() == 2
    assert refusing.scores(axes[:1])[1].argmax() == 0


def test_few_background_samples_stay_and_many_are_summed_up() -> None:
    few = shots(0, MOST_PROTOTYPES)
    torch.testing.assert_close(grown(1).with_background(few).background, F.normalize(few, dim=1))
    lumps = torch.eye(WIDTH).repeat(20, 1) + 0.01 * shots(1, 20 * WIDTH)
    prototypes = grown(1).with_background(lumps).background
    assert len(prototypes) == MOST_PROTOTYPES
    torch.testing.assert_close(prototypes.norm(dim=1), torch.ones(MOST_PROTOTYPES))
    assert (F.normalize(lumps, dim=1) @ prototypes.T).amax(1).min() > 0.98
    assert torch.equal(prototypes, grown(1).with_background(lumps).background)
    assert len(grown(1).with_background(lumps).with_background(few[:0]).background) == 0


def test_refining_parts_a_class_from_its_look_alike_where_the_mean_cannot() -> None:
    generator = torch.Generator().manual_seed(0)
    shared, own, foreign = torch.eye(WIDTH)[:3]
    inside = shared + 0.5 * own + 0.1 * torch.randn(8, WIDTH, generator=generator)
    outside = shared + 0.5 * foreign + 0.1 * torch.randn(8, WIDTH, generator=generator)
    before = CosineClassifier.of({"a": inside, "b": torch.eye(WIDTH)[5:]})
    after = before.refined("a", inside, outside)
    gap = [float((one.cosines(inside) - one.cosines(outside))[:, 0].mean()) for one in (before, after)]
    assert gap[1] > gap[0] + 0.1
    assert torch.equal(after.row("b"), before.row("b"))
    assert after.row("a").norm().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(
        before.refined("a", inside, outside, steps=0).row("a"), F.normalize(before.row("a"), dim=0)
    )


def test_refining_works_without_negatives_and_inside_inference_mode() -> None:
    with torch.inference_mode():
        refined = grown(3).refined("class 1", shots(1), steps=3)
    assert not torch.equal(refined.row("class 1"), grown(3).row("class 1"))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda c: c.with_class("class 0", shots(9)), UsageError, "already"),
        (lambda c: c.without("class 9"), UsageError, "no class named 'class 9'; known: class 0"),
        (lambda c: c.row("class 9"), UsageError, "known: class 0, class 1"),
        (lambda c: c.with_class("x", torch.ones(2, WIDTH + 1)), InputError, r"\(N, 6\), got \(2, 7\)"),
        (lambda c: c.with_class("x", torch.ones(WIDTH)), InputError, "expected embeddings"),
        (lambda c: c.with_class("x", torch.empty(0, WIDTH)), InputError, "at least one shot"),
        (lambda c: c.with_class("x", torch.zeros(1, WIDTH)), InputError, "zero or not finite"),
        (lambda c: c.with_class("x", torch.full((1, WIDTH), torch.nan)), InputError, "zero or not finite"),
        (lambda c: c.with_class("x", torch.stack([shots(0)[0], -shots(0)[0]])), InputError, "cancel"),
        (lambda c: c.with_background(torch.ones(1, 2)), InputError, "the background"),
        (lambda c: c.scores(torch.ones(1, 2)), InputError, "classes rebuild"),
        (lambda c: c.refined("class 0", shots(0), steps=-1), UsageError, "0 steps or more"),
        (lambda c: CosineClassifier(0), UsageError, "width from 1"),
        (lambda c: CosineClassifier(3, scale=0), UsageError, "scale above 0"),
        (lambda c: CosineClassifier(3, floor=2), UsageError, "floor in"),
        (lambda c: CosineClassifier.of({}), UsageError, "no width"),
    ],
)
def test_misuse_is_told(call: object, error: type[Exception], says: str) -> None:
    assert callable(call)
    with pytest.raises(error, match=says):
        call(grown(2))
