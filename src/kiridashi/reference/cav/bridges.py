"""What may stand between a reference and a target: the rows of CAV-SAM's ablation."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Bridge:
    """One way from the reference to the target.

    Attributes:
        name: of the row.
        transition: what makes the frames, see `make_transition`.
        aligned: whether the pseudo masks on the first frames come from the tuned neck (TTGA). Without it
            a bridge of frames has pseudo masks of the neck as it is; without frames there are none.
    """

    name: str
    transition: str
    aligned: bool


# The transition that is none.
NO_FRAMES = "none"
BRIDGES = MappingProxyType(
    {
        bridge.name: bridge
        for bridge in (
            Bridge("none", NO_FRAMES, aligned=False),
            Bridge("dbst", "dbst", aligned=False),
            Bridge("ttga", NO_FRAMES, aligned=True),
            Bridge("both", "dbst", aligned=True),
            Bridge("cross-fade", "cross-fade", aligned=False),
            Bridge("affine", "affine", aligned=False),
        )
    }
)
# What the cycle chooses among, the plain pair first: it wins a draw.
CANDIDATES = ("none", "ttga", "dbst", "both")
