"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections (32768 on). In that range a client that
# keeps trying a stopped server can be given the server's own port, connect to itself, and keep the port from it.
_RANGE = range(20_000, 32_000)
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, and that no outgoing connection will take."""
    for _ in range(100):
        port = _random.choice(_RANGE)
        if is_free(port):
            return port
    raise OSError(f"no free port found from {_RANGE.start} to {_RANGE.stop - 1}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
