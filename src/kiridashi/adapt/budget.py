"""How much may be done at once: from the cores and the memory that there are."""

import os
from dataclasses import dataclass
from pathlib import Path

# Of the memory that is free, what kept maps may take.
SHARE = 0.3
FALLBACK_BYTES = 2 << 30
# A step keeps about this many times a picture's own maps for its gradients.
GRADIENTS = 40
MOST_BATCH = 4
# With so many cores the trunk is tuned from its first third on, with fewer only its last third.
MANY_CORES = 8


@dataclass(frozen=True)
class Budget:
    """What a machine offers.

    Attributes:
        cores: that this process may use.
        memory: free bytes.
    """

    cores: int
    memory: int

    def copies(self, bytes_each: int, pictures: int, wanted: int) -> int:
        """Copies of each picture whose maps fit in memory, at most the wanted ones."""
        room = int(SHARE * self.memory) // max(bytes_each, 1)
        return max(0, min(wanted, room // max(pictures, 1) - 1))

    def batch(self, bytes_each: int) -> int:
        """Pictures a step."""
        room = int(SHARE * self.memory) // max(GRADIENTS * bytes_each, 1)
        return max(1, min(MOST_BATCH, room))

    def first_block(self, blocks: int) -> int:
        """The trunk's block from which on it is tuned."""
        return blocks // 3 if self.cores >= MANY_CORES else (2 * blocks) // 3


def this_machine() -> Budget:
    """What this process has now."""
    return Budget(_cores(), _free_memory())


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _free_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return FALLBACK_BYTES
