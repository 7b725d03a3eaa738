"""``python contrib/faults``: play every fault and prove that nothing was lost, sold twice or said falsely.

``python contrib/faults siege``: kill everything at random while many orders are sold, and audit.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a folder, imported as a package

from faults import main, siege  # noqa: E402

if __name__ == "__main__":
    sys.exit(siege.main() if sys.argv[1:] == ["siege"] else main.main())
