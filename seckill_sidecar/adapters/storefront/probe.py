"""One request of our own to a site, sent as it is spelled: the doctor's, and those for keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from seckill_sidecar.adapters.storefront.address import Address
from seckill_sidecar.errors import StoreDown

_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, as far as it is of interest."""

    status: int
    body: bytes
    date: float | None
    """Its Date, in seconds since 1970; None if it has none that can be read."""


def ask(
    store: str,
    url: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    seconds: float,
) -> Told:
    """The answer to one request; ``target`` goes out byte for byte. Raises ``StoreDown`` of ``store`` if none comes.

    ``url`` is ``http://``, ``https://`` or ``unix:/path``; each wait ends after ``seconds``.
    """
    try:
        connection, base = _connection(url, seconds)
    except ValueError as error:
        raise StoreDown(store, f"{url} is no address: {error}") from error
    try:
        if url.startswith("unix:"):
            connection.sock = Address.parse(url).connect(seconds)
        connection.putrequest(
            method, base + target, skip_host=any(name.lower() == "host" for name in headers), skip_accept_encoding=True
        )
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Told(answer.status, answer.read(_LONGEST), _date(answer))
    except (OSError, HTTPException) as error:
        raise StoreDown(store, f"{url} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _connection(url: str, seconds: float) -> tuple[HTTPConnection, str]:
    if url.startswith("unix:"):
        return HTTPConnection("localhost", timeout=seconds), ""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("it names no host")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname, parts.port, timeout=seconds), parts.path.rstrip("/")


def _date(answer: HTTPResponse) -> float | None:
    try:
        return parsedate_to_datetime(answer.getheader("Date", "")).timestamp()
    except ValueError:
        return None
