"""The command line: one file a verb.

The modules of the verbs import nothing heavy at their top, so that `--help` is quick; what a verb
needs it imports when it runs.
"""

from kiridashi.cli.application import main

__all__ = ["main"]
