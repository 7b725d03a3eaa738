"""``python contrib/shop --listen 127.0.0.1:8080 --data FOLDER``: run the old shop.

``SECKILL_SECRET`` in the environment holds the secret of ``--key``, as it stands in the sidecar's ``keys``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run as a folder, imported as a package

from shop.server import Shop  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="shop", description="A small legacy shop beside a sidecar.")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="address:port (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path(), help="folder of orders.sqlite (default: here)")
    parser.add_argument("--key", default="demo", help="id of the key that SECKILL_SECRET holds (default: %(default)s)")
    parser.add_argument("--unsigned", action="store_true", help="sell to everybody, as before there was a gate")
    options = parser.parse_args()
    secret = os.environ.get("SECKILL_SECRET", "")
    if not secret:
        parser.error("SECKILL_SECRET is not set; give it the secret of the sidecar's key")
    host, _, port = options.listen.rpartition(":")
    shop = Shop((host, int(port)), options.data, {options.key: secret.encode()}, options.unsigned)
    # shutdown() waits for the serving loop, so it can't run in the handler that interrupts that loop.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=shop.shutdown).start())
    print(f"the old shop is open at http://{host}:{shop.server_port}/", flush=True)
    try:
        shop.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        pass
    finally:
        shop.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
