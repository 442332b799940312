"""Run the benchmarks: `.venv/bin/python benchmarks/run.py --help`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from benchmarks.suite import main

    sys.exit(main())
