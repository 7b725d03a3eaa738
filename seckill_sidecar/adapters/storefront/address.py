"""Where the storefront listens, read from its URL."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from seckill_sidecar.errors import ConfigurationError, Problem

_HOW_TO = "write http://host:port, http://host:port/base or unix:/path/to/socket"


@dataclass(frozen=True, slots=True)
class Address:
    """The storefront's place: a TCP address or the path of a UNIX socket."""

    place: tuple[str, int] | str
    host: str
    """The Host header for a request that came without one (HTTP/1.0)."""
    base: str = ""
    """What goes before every path; empty, or ``/like/this`` with no slash at its end."""

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``http://host[:port][/base]`` or ``unix:/path``; raises ``ConfigurationError``."""
        if url.startswith("unix:/"):
            return cls(place=url.removeprefix("unix:"), host="localhost")
        try:
            parts = urlsplit(url)
            port = parts.port or 80
        except ValueError as error:
            raise _unusable(url) from error
        if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise _unusable(url)
        return cls(place=(parts.hostname, port), host=parts.netloc, base=parts.path.rstrip("/"))

    def connect(self, timeout: float) -> socket.socket:
        """A connected socket, whose timeout is still the one for connecting; raises ``OSError``."""
        if isinstance(self.place, tuple):
            connection = socket.create_connection(self.place, timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(self.place)
        except BaseException:
            connection.close()
            raise
        return connection


def _unusable(url: str) -> ConfigurationError:
    what = f"{url!r} is no address of a storefront; {_HOW_TO}"
    return ConfigurationError([Problem("configuration", 0, 0, "stores.storefront", what)])
