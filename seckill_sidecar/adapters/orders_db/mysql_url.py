"""Reads ``mysql://user:password@host:port/name``. Messages never hold any part of a password."""

from __future__ import annotations

from dataclasses import dataclass, field
from ssl import CERT_NONE, VERIFY_X509_STRICT, SSLContext, create_default_context
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from seckill_sidecar.errors import ConfigurationError, Problem

SCHEMES = ("mysql", "mariadb")
_EXAMPLE = "mysql://user:password@host:3306/name"
_OPTIONS = {"unix_socket", "ssl", "ssl_ca"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a MySQL or MariaDB database is, and as whom to connect."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    unix_socket: str | None = None
    ssl: str = "preferred"
    """``preferred`` (if the server has it), ``required`` (encrypted, unverified), ``verified``, or ``off``."""
    ssl_ca: str | None = None

    def __str__(self) -> str:
        """The address without the password."""
        return f"mysql://{self.user}@{self.unix_socket or f'{self.host}:{self.port}'}/{self.database}"

    def tls(self) -> SSLContext | None:
        """The TLS context that makes the driver insist, or None to leave it to the driver."""
        if self.ssl in ("preferred", "off"):
            return None
        try:
            context = create_default_context(cafile=self.ssl_ca)
        except OSError as error:
            raise _wrong(f"ssl_ca {self.ssl_ca} can't be read ({error})") from error
        context.verify_flags &= ~VERIFY_X509_STRICT  # which certificates that MySQL makes for itself don't meet
        if self.ssl == "required":
            context.check_hostname = False
            context.verify_mode = CERT_NONE
        return context


def parse_address(url: str) -> Address:
    """Read a URL; raises ``ConfigurationError`` that says how to write it."""
    # The parser's own errors quote what they trip over, which may be the password: they are not chained.
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError:
        raise _wrong("can't be read; percent-encode what is special in user and password (@ as %40)") from None
    if parts.fragment or "#" in url:
        raise _wrong("holds a #; percent-encode it as %23")
    database = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in SCHEMES or not database or "/" in database:
        raise _wrong("names no database")
    options = _options(parts)
    return Address(
        host=parts.hostname or "localhost",
        port=port,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=database,
        unix_socket=options.get("unix_socket"),
        ssl=options.get("ssl") or ("verified" if "ssl_ca" in options else "preferred"),
        ssl_ca=options.get("ssl_ca"),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise _wrong(f"has unknown options {', '.join(unknown)}; known are {', '.join(sorted(_OPTIONS))}")
    if options.get("ssl", "off") not in ("off", "preferred", "required", "verified"):
        raise _wrong("ssl is one of off, preferred, required, verified")
    return options


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError([Problem("settings", 0, 0, "stores.database", f"{what}; write {_EXAMPLE}")])
