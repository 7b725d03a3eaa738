"""Keys out of a JWK Set, a PEM file or a shared secret: those only that fit the algorithms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, OctKey

from seckill_sidecar.errors import StoreDown

_MOST = 64
_LONGEST_FILE = 1 << 20
_LEAST_SECRET = 22
"""Base64 digits of 16 bytes."""

KeyType = Literal["oct", "RSA", "EC", "OKP"]
_TYPES: dict[str, KeyType] = {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key, and what tokens call it; "" if it has no name."""

    kid: str
    key: Key


def shared_secret(secret: str) -> tuple[NamedKey, ...]:
    """The one key of a site that signs by a shared secret."""
    return (NamedKey("", OctKey.import_key(secret)),)


def file_reader(path: str) -> Callable[[], bytes]:
    """What reads this file; it raises ``StoreDown``."""

    def read() -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read(_LONGEST_FILE)
        except OSError as error:
            raise StoreDown("keys", f"{path} can't be read: {error.strerror or error}") from error

    return read


def keys_in(document: bytes, algorithms: Sequence[str]) -> tuple[NamedKey, ...]:
    """The keys in a JWK Set, a single JWK or a PEM; raises ``StoreDown`` if there is none for these algorithms.

    Keys of another kind are left out, so that a public key never serves as a shared secret.
    """
    types = {_TYPES[name[:2]] for name in algorithms}
    if document.lstrip().startswith(b"-----BEGIN "):
        found = [_key(document.strip(), kind) for kind in sorted(types - {"oct"})]
    else:
        found = [_key(entry) for entry in _fitting(_entries(document), types)]
    keys = tuple(NamedKey(key.kid or "", key) for key in found if key is not None)
    if not keys:
        raise StoreDown("keys", f"among them is none for {', '.join(algorithms)}")
    return keys


def _entries(document: bytes) -> list[Any]:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise StoreDown("keys", "they are neither a JWK Set nor PEM") from error
    entries = parsed.get("keys", [parsed]) if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST:
        raise StoreDown("keys", f"they are no JWK Set of at most {_MOST} keys")
    return entries


def _fitting(entries: list[Any], types: set[KeyType]) -> Iterable[Any]:
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in types or entry.get("use", "sig") != "sig":
            continue
        if entry["kty"] != "oct" or len(str(entry.get("k", ""))) >= _LEAST_SECRET:
            yield entry


def _key(written: Any, kind: KeyType | None = None) -> Key | None:
    try:
        return JWKRegistry.import_key(written, kind)
    except (JoseError, ValueError, TypeError, KeyError):
        return None  # one that nobody can use spoils no other
