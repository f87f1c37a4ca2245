"""How well classes that were never learned are told apart from a few shots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.classes.base_training.gathering import MARKED, Gathered

SHOTS = (1, 5)
DRAWS = 20
Embedding = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Episode:
    """One draw of shots: everything else of these classes in other pictures is asked about.

    Attributes:
        shots: (C, K) numbers of embeddings.
        queries: (Q,) numbers of embeddings.
        truth: (Q,) class of each, 0..C-1.
    """

    shots: Tensor
    queries: Tensor
    truth: Tensor


def draw_episodes(
    gathered: Gathered, names: Sequence[str], count: int, draws: int, seed: int
) -> list[Episode]:
    """Episodes of the marked masks of some classes.

    Args:
        gathered: of the data set.
        names: C classes.
        count: K, shots of each class, each from another picture where there are enough.
        draws: episodes; those without a query are left out.
        seed: draws them.
    """
    places = [gathered.names.index(name) for name in names]
    own = [((gathered.labels == place) & (gathered.origins == MARKED)).nonzero()[:, 0] for place in places]
    rng = np.random.default_rng([seed, count])
    episodes = (_episode(gathered, own, count, rng) for _ in range(draws))
    return [episode for episode in episodes if len(episode.queries)]


def accuracies(embed: Embedding, gathered: Gathered, episodes: Sequence[Episode]) -> Tensor:
    """(draws,) share of right answers of the nearest class mean, each class weighing the same, 0..1.

    Args:
        embed: (N, D) to (N, D').
        gathered: that the episodes count.
        episodes: at least one.
    """
    with torch.no_grad():
        unit = F.normalize(embed(gathered.embeddings), dim=1)
    found = []
    for episode in episodes:
        means = F.normalize(unit[episode.shots].mean(dim=1), dim=1)
        right = (unit[episode.queries] @ means.T).argmax(dim=1) == episode.truth
        per_class = [
            right[episode.truth == one].float().mean() for one in sorted(set(episode.truth.tolist()))
        ]
        found.append(torch.stack(per_class).mean())
    return torch.stack(found)


def _episode(gathered: Gathered, own: Sequence[Tensor], count: int, rng: np.random.Generator) -> Episode:
    shots = torch.stack([_shots(gathered, members, count, rng) for members in own])
    seen = gathered.pictures[shots.flatten()]
    queries, truth = [], []
    for place, members in enumerate(own):
        # A picture that gave a shot gives no query: its objects are too much alike.
        asked = members[~torch.isin(gathered.pictures[members], seen)]
        queries.append(asked)
        truth.append(torch.full((len(asked),), place))
    return Episode(shots, torch.cat(queries), torch.cat(truth))


def _shots(gathered: Gathered, members: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    order = members[torch.from_numpy(rng.permutation(len(members)))]
    _, firsts = np.unique(gathered.pictures[order].numpy(), return_index=True)
    firsts = np.sort(firsts)
    others = np.setdiff1d(np.arange(len(order)), firsts)
    return order[torch.from_numpy(np.concatenate([firsts, others])[:count])]
