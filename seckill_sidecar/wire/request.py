"""A WSGI request as the gate reads it: nothing is parsed before it is asked for, nothing is believed.

What can't be read as exactly one clear value is a ``Malformed``; it names the field, for the buyer's 400.
A body that was read is put back, so that the storefront gets it as it came.
"""

from __future__ import annotations

import io
import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote

from seckill_sidecar.wire import fields, paths, reroutes
from seckill_sidecar.wire.fields import FORM, MULTIPART, Fields, Malformed

_CHUNK = 65536
_AFTER_A_TYPE = re.compile(r"[;,\s]")


class Request:
    """One request, read from a WSGI environ."""

    def __init__(self, environ: MutableMapping[str, Any]) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"].upper()
        """In capitals, as frameworks (Werkzeug) take it."""
        self.target: str = environ.get("RAW_URI") or _rebuilt_target(environ)
        """The request target as sent, if the server tells (gunicorn's RAW_URI)."""
        self.raw_path = paths.path_of(self.target)
        self.path = paths.decode(self.raw_path)
        """The path, percent-decoded once; None if it isn't clean text."""

    @cached_property
    def readings(self) -> frozenset[str]:
        """What a generous storefront could take the path for: as it was sent, as this server reads it, and as a
        header has it."""
        as_read = self.environ.get("SCRIPT_NAME", "") + self.environ.get("PATH_INFO", "")
        found = paths.loosen(self.raw_path.encode("latin-1")) | paths.loosen(as_read.encode("latin-1"))
        for target in self.other_targets:
            found |= paths.loosen(target.partition("?")[0].encode("latin-1"))
        return found

    @cached_property
    def other_targets(self) -> tuple[str, ...]:
        """What headers name as the path and query, if it differs from the request line."""
        if not reroutes.has_any(self.environ):
            return ()
        return tuple(reroutes.targets_in_headers(self.environ, self.target))

    @cached_property
    def other_methods(self) -> frozenset[str]:
        """What headers and the query string name as the method, if it differs from the request line."""
        if "?" not in self.target and not reroutes.has_any(self.environ):
            return frozenset()
        named = frozenset(reroutes.methods_in_headers(self.environ))
        for query in self.raw_queries:
            named = named.union(reroutes.methods_in_fields(query)) if query else named
        return named - {self.method}

    @property
    def names_by_header(self) -> bool:
        """Whether a header names another path or method."""
        other = frozenset(reroutes.methods_in_headers(self.environ)) - {self.method}
        return bool(other or self.other_targets)

    @property
    def is_rerouted(self) -> bool:
        """Whether it names another path or method beside its own: nobody knows which of them a storefront believes."""
        if "?" not in self.target and not reroutes.has_any(self.environ):
            return False
        return bool(self.other_targets or self.other_methods)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The Host, and the one that the target names itself if it does; without port, lower case."""
        return frozenset(map(_bare_host, (self.environ.get("HTTP_HOST", ""), paths.authority_of(self.target))))

    def header(self, name: str) -> str | None:
        """A header's value, or None. Raises ``Malformed`` if it was sent more than once or isn't UTF-8."""
        key = _environ_key(name)
        value = self.environ.get(key)
        if value is None:
            return None
        # Servers join what was sent twice by a comma, but for the two that have no HTTP_ before their names.
        if ("," in value or not key.startswith("HTTP_")) and self._was_repeated(name):
            raise Malformed(f"header {name} was sent more than once")
        return value if value.isascii() else _text(value.encode("latin-1"), f"header {name}")

    def _was_repeated(self, name: str) -> bool:
        raw = self.environ.get("seckill.raw_headers")
        return raw is not None and sum(1 for key, _ in raw if key.lower() == name.lower()) > 1

    @property
    def raw_query(self) -> bytes:
        """The query string as sent."""
        return self.target.partition("?")[2].encode("latin-1")

    @property
    def raw_queries(self) -> list[bytes]:
        """The query string as sent, and those that headers name."""
        return [self.raw_query, *(target.partition("?")[2].encode("latin-1") for target in self.other_targets)]

    @cached_property
    def query(self) -> Fields:
        """Fields of the query string."""
        return fields.parse(self.raw_query, "the query string")

    @cached_property
    def cookies(self) -> Mapping[str, list[str]]:
        """Cookies by name, as sent; a name may come more than once."""
        found: dict[str, list[str]] = {}
        for pair in self.environ.get("HTTP_COOKIE", "").replace(",", ";").split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                found.setdefault(name.strip(), []).append(value.strip().strip('"'))
        return found

    @property
    def content_type(self) -> str:
        """The body's media type without parameters, lower case."""
        kind: str = self.environ.get("CONTENT_TYPE", "")
        return _AFTER_A_TYPE.split(kind.strip(), maxsplit=1)[0].lower()

    @property
    def has_form(self) -> bool:
        """Whether its body is a form, by what it says itself."""
        return self.content_type in (FORM, MULTIPART)

    def form_mentions(self, name: str) -> bool:
        """Whether the form has a field that a generous storefront could take for this one, as far as the body was read
        already. Never raises."""
        body: bytes = self.environ.get("seckill.body", b"")
        if not body or not self.has_form:
            return False
        if self.content_type == FORM:
            return any(True for _ in fields.values_of(body, name))
        return fields.names_a_part(body, name)

    def is_abandoned(self) -> bool:
        """Whether the client has hung up, as far as the server lets that be known (gunicorn's socket, without TLS)."""
        connection = self.environ.get("gunicorn.socket")
        if connection is None or not hasattr(connection, "recv") or isinstance(connection, ssl.SSLSocket):
            return False
        patience = connection.gettimeout()
        connection.settimeout(0.0)  # and not MSG_DONTWAIT: gevent's recv would wait all the same
        try:
            return not connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(patience)

    def read_body(self, most: int) -> bytes:
        """The whole body, at most ``most`` bytes; raises ``Malformed`` (413). It is put back to be read again."""
        body: bytes | None = self.environ.get("seckill.body")
        if body is None:
            body = self._take_body(most)
            self.environ["seckill.body"] = body
        return body

    def _take_body(self, most: int) -> bytes:
        declared = self.environ.get("CONTENT_LENGTH") or ""
        if declared and (not declared.isascii() or not declared.isdigit()):
            raise Malformed("Content-Length is no number")
        if declared and int(declared) > most:
            raise Malformed(f"the body is larger than {most} bytes", 413)
        chunked = not declared and self.environ.get("wsgi.input_terminated", False)
        wanted = int(declared) if declared else (most + 1 if chunked else 0)
        body = self._read(wanted)
        if len(body) > most:
            self.environ["wsgi.input"] = _Joined(body, self.environ["wsgi.input"])
            raise Malformed(f"the body is larger than {most} bytes", 413)
        self.environ["wsgi.input"] = io.BytesIO(body)
        if declared and len(body) < int(declared):
            raise Malformed("the body ended early")
        if (coding := self.environ.pop("HTTP_TRANSFER_ENCODING", None)) is not None:
            self.environ["seckill.coding"] = coding
            self.environ["CONTENT_LENGTH"] = str(len(body))
        return body

    def frame_as_sent(self) -> None:
        """Let the body go on as it came, in chunks if it did, though it was read meanwhile."""
        coding = self.environ.pop("seckill.coding", None)
        if coding is not None:
            self.environ["HTTP_TRANSFER_ENCODING"] = coding
            del self.environ["CONTENT_LENGTH"]

    def _read(self, wanted: int) -> bytes:
        parts: list[bytes] = []
        within: Callable[[], AbstractContextManager[Any]] | None = self.environ.get("seckill.body_within")
        try:
            if within is None:
                self._read_into(parts, wanted)
            else:
                with within():
                    self._read_into(parts, wanted)
        except TimeoutError as error:
            self.environ["wsgi.input"] = _Joined(b"".join(parts), _Broken(error))
            raise Malformed("the body did not arrive in time", 408) from error
        except Exception as error:  # every server has its own for a body that is none
            self.environ["wsgi.input"] = _Joined(b"".join(parts), _Broken(error))
            raise Malformed("the body can't be read") from error
        return b"".join(parts)

    def _read_into(self, parts: list[bytes], wanted: int) -> None:
        while wanted > 0 and (part := self.environ["wsgi.input"].read(min(wanted, _CHUNK))):
            parts.append(part)
            wanted -= len(part)

    def form(self, most: int) -> Fields:
        """Fields of a form body, URL-encoded or multipart."""
        if "seckill.form" not in self.environ:
            self.environ["seckill.form"] = self._parse_form(most)
        found: Fields = self.environ["seckill.form"]
        return found

    def _parse_form(self, most: int) -> Fields:
        if self.content_type == FORM:
            return fields.parse(self.read_body(most), "the form")
        if self.content_type == MULTIPART:
            return fields.parse_multipart(self.read_body(most), self.environ["CONTENT_TYPE"])
        if not self.content_type and not self.read_body(most):
            return {}
        raise Malformed(f"expected a form ({FORM} or {MULTIPART}), got {self.content_type[:100]!r}", 415)

    def json(self, most: int) -> Any:
        """The JSON body. Duplicate members and anything beyond plain JSON are ``Malformed``."""
        if not (self.content_type == "application/json" or self.content_type.endswith("+json")):
            raise Malformed(f"expected application/json, got {self.content_type[:100]!r}", 415)
        try:
            return json.loads(
                self.read_body(most).decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant
            )
        except UnicodeDecodeError as error:
            raise Malformed("the body is not UTF-8") from error
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not sound JSON") from error


class _Joined(io.RawIOBase):
    """What was read already, then the rest: a body that turned out to be too large is passed on whole."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        head = self._head.read(size)
        if size < 0:
            return head + bytes(self._rest.read())
        return head or bytes(self._rest.read(size))


class _Broken:
    """The rest of a body that could not be read: whoever reads on, meets the same fault."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def read(self, _: int = -1) -> bytes:
        raise self._fault


@lru_cache(maxsize=256)
def _environ_key(header: str) -> str:
    key = header.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _rebuilt_target(environ: Mapping[str, Any]) -> str:
    path = quote(
        (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/;=,:@!$&'()*+~"
    )
    query = environ.get("QUERY_STRING", "")
    return (path or "/") + (f"?{query}" if query else "")


def _bare_host(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower().rstrip(".")


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"{what} is not UTF-8") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("the JSON body names a member twice")
    return members


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not JSON")
