import torch

from kiridashi.classes.base_training.few_shot import accuracies, draw_episodes
from kiridashi.classes.base_training.gathering import DRAWN, Gathered

from .material import vectors


def test_shots_and_queries_are_of_different_pictures_and_of_people() -> None:
    material = vectors(4, each=20)
    origins = material.origins.clone()
    origins[::4] = DRAWN
    pictures = material.pictures // 2
    pictures[20:30] = 3
    gathered = Gathered(material.embeddings, material.labels, pictures, origins, material.names)
    for episode in draw_episodes(gathered, ("b", "d"), 5, 10, seed=0):
        assert episode.shots.shape == (2, 5)
        asked = set(pictures[episode.queries].tolist())
        assert not asked & set(pictures[episode.shots.flatten()].tolist())
        assert (origins[episode.queries] != DRAWN).all()
        assert (origins[episode.shots] != DRAWN).all()
        assert gathered.labels[episode.shots].tolist() == [[1] * 5, [3] * 5]
        assert gathered.labels[episode.queries].tolist() == [[1, 3][k] for k in episode.truth.tolist()]


def test_each_shot_is_of_another_picture_while_there_are_some() -> None:
    material = vectors(2, each=20)
    gathered = Gathered(
        material.embeddings, material.labels, material.pictures // 5, material.origins, material.names
    )
    for episode in draw_episodes(gathered, ("a", "b"), 3, 10, seed=1):
        assert [len(set(row)) for row in gathered.pictures[episode.shots].tolist()] == [3, 3]


def test_accuracy_is_the_mean_over_classes() -> None:
    # Two classes apart but for a part of the second one that looks like the first.
    embeddings = torch.eye(2).repeat_interleave(20, dim=0)
    labels = torch.arange(2).repeat_interleave(20)
    gathered = Gathered(embeddings, labels, torch.arange(40), torch.zeros(40, dtype=torch.int64), ("a", "b"))
    episodes = draw_episodes(gathered, ("a", "b"), 1, 5, seed=0)
    assert accuracies(lambda x: x, gathered, episodes).tolist() == [1.0] * 5
    episode = episodes[0]
    wrong = episode.queries[episode.truth == 1][:5]
    embeddings[wrong] = torch.tensor([1.0, 0.0])
    found = accuracies(lambda x: x, gathered, [episode])
    torch.testing.assert_close(found, torch.tensor([(1 + 14 / 19) / 2]))


def test_equal_seeds_draw_equal_episodes() -> None:
    material = vectors(4)
    one, two, three = (draw_episodes(material, ("a", "c"), 1, 4, seed) for seed in (0, 0, 1))
    assert all(torch.equal(x.shots, y.shots) for x, y in zip(one, two, strict=True))
    assert not all(torch.equal(x.shots, y.shots) for x, y in zip(one, three, strict=True))


def test_nothing_to_ask_about_gives_no_episode() -> None:
    assert draw_episodes(vectors(2, each=5), ("a", "b"), 5, 4, seed=0) == []
