"""``python -m seckill_sidecar`` is the command ``seckill-sidecar``."""

import sys

from seckill_sidecar.cli import main

sys.exit(main())
