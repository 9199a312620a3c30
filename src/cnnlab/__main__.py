"""`cnnlab` and `python -m cnnlab`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from cnnlab.cli.encoding import use_utf8
    from cnnlab.cli.main import run

    use_utf8()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
