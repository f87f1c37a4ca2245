"""The most memory that this process has held at once."""

import sys
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
# Linux: sets the peak of the resident set back to its present size (proc_pid_clear_refs(5)).
_RESET_PEAK = "5"


def reset_peak() -> bool:
    """Forget the peak so far; False where the system cannot, and peaks are those since the start."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def peak_mib() -> float | None:
    """Peak resident memory in MiB since `reset_peak` (or the start); None where it cannot be asked."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError, IndexError):
        pass
    return _whole_process()


def _whole_process() -> float | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
