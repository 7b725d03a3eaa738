"""``python contrib/bench``: measure, print a table, and as the last line the figures as JSON."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a folder, imported as a package

from bench.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
