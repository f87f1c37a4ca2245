import torch

from kiridashi.localize.gtformer.global_tokens import GlobalTokens, phases, thumbnail


def test_the_phases_are_every_second_row_and_column() -> None:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    picture = torch.stack([rows, columns, rows * 32 + columns])[None]
    found = phases(picture)
    assert found.shape == (1, 4, 3, 16, 16)
    # Row and column of the first and the last place of each phase.
    firsts = [(int(one[0, 0, 0]), int(one[1, 0, 0])) for one in found[0]]
    lasts = [(int(one[0, -1, -1]), int(one[1, -1, -1])) for one in found[0]]
    assert firsts == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert lasts == [(30, 30), (31, 30), (30, 31), (31, 31)]
    # Each pixel is in one phase.
    assert sorted(found[0, :, 2].flatten().tolist()) == list(range(1024))


def test_a_thumbnail_is_the_mean_of_a_large_picture() -> None:
    checks = torch.arange(512)[None, :] % 2
    picture = checks.expand(1, 3, 512, 512).float()
    assert thumbnail(picture).shape == (1, 3, 32, 32)
    torch.testing.assert_close(thumbnail(picture), torch.full((1, 3, 32, 32), 0.5), atol=0.02, rtol=0)


def test_each_phase_has_a_projection_of_its_own_unless_shared() -> None:
    torch.manual_seed(0)
    module, given = GlobalTokens(8), torch.randn(2, 3, 32, 32)
    tokens = module(given)
    assert tokens.shape == (2, 4, 8)
    for index, projection in enumerate(module.projections):
        expected = projection(phases(given)[:, index]).flatten(1)
        torch.testing.assert_close(tokens[:, index], expected)
    slip = GlobalTokens(8, shared=True)
    slip.load_state_dict(module.state_dict())
    shared = slip(given)
    torch.testing.assert_close(shared[:, :2], tokens[:, :2])
    for index in (2, 3):
        expected = module.projections[1](phases(given)[:, index]).flatten(1)
        torch.testing.assert_close(shared[:, index], expected)
        assert (shared[:, index] - tokens[:, index]).abs().max() > 0.01
    shared.sum().backward()
    assert slip.projections[2].weight.grad is None
