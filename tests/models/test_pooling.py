import numpy as np
import pytest
import torch

from kiridashi.models.pooling import cosine_map, masked_average, otsu_mask


def test_the_prototype_is_the_weighted_mean() -> None:
    features, mask = torch.randn(5, 3, 4), torch.rand(3, 4)
    expected = sum(features[:, i, j] * mask[i, j] for i in range(3) for j in range(4)) / mask.sum()
    torch.testing.assert_close(masked_average(features, mask), expected)
    assert torch.equal(masked_average(features, 0.25 * torch.ones(3, 4)), features.mean((1, 2)))


def test_a_mask_of_one_place_pools_that_place() -> None:
    features, mask = torch.randn(5, 3, 4), torch.zeros(3, 4)
    mask[1, 2] = 1
    assert torch.equal(masked_average(features, mask), features[:, 1, 2])


def test_an_empty_mask_gives_zeros_with_sound_gradients() -> None:
    features = torch.randn(5, 3, 4, requires_grad=True)
    prototype = masked_average(features, torch.zeros(3, 4))
    similarity = cosine_map(features, prototype)
    (gradient,) = torch.autograd.grad(similarity.sum(), features)
    assert torch.equal(prototype, torch.zeros(5))
    assert torch.equal(similarity, torch.zeros(3, 4))
    assert gradient.isfinite().all()


def test_the_cosine_is_numpys_and_knows_no_length() -> None:
    features, prototype = torch.randn(5, 3, 4), torch.randn(5)
    f, p = features.numpy(), prototype.numpy()
    expected = np.einsum("chw,c->hw", f, p) / np.linalg.norm(f, axis=0) / np.linalg.norm(p)
    cosine = cosine_map(features, prototype)
    np.testing.assert_allclose(cosine.numpy(), expected, atol=1e-6)
    torch.testing.assert_close(cosine_map(7 * features, 0.1 * prototype), cosine)
    assert cosine_map(prototype[:, None, None].expand(5, 9, 9), prototype).max() <= 1
    assert cosine_map(-prototype[:, None, None], prototype).item() == pytest.approx(-1)


def test_otsus_mask_parts_two_lumps_and_carries_no_gradient() -> None:
    similarity = torch.tensor([[0.9, 0.8], [-0.2, -0.1]], requires_grad=True)
    mask = otsu_mask(similarity * 1)
    assert torch.equal(mask, torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert not mask.requires_grad
    assert otsu_mask(torch.full((3, 3), 0.4)).sum() == 0
