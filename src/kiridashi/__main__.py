"""`python -m kiridashi`."""

import sys

from kiridashi.cli import main

if __name__ == "__main__":
    sys.exit(main())
