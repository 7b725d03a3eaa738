"""A JSON Web Token → the buyer that it names, or why it proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from joserfc.errors import ClaimError, JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from seckill_sidecar.adapters.jwt.key_set import NamedKey
from seckill_sidecar.clock import Clock, Deadline
from seckill_sidecar.errors import UntrustedToken
from seckill_sidecar.settings.buyers import JwtSettings

_LONGEST = 8192
_LONGEST_HEAD = 2048
_MOST_TRIES = 8
"""Keys that are tried for a token that names none."""

KeysFor = Callable[[str, Deadline], Sequence[NamedKey]]


class JwtTokens:
    """``ports.Tokens`` for tokens in JWS's compact form."""

    def __init__(self, settings: JwtSettings, keys_for: KeysFor, clock: Clock) -> None:
        """``keys_for`` names the keys that may have signed a token with this ``kid``; it may raise ``StoreError``."""
        self._settings = settings
        self._keys_for = keys_for
        self._clock = clock
        self._registry = JWSRegistry(algorithms=settings.algorithms, strict_check_header=False)
        self._registry.max_header_length = _LONGEST_HEAD
        self._wanted: dict[str, ClaimsOption] = {"exp": {"essential": True}}
        for claim, value in (("iss", settings.issuer), ("aud", settings.audience)):
            if value is not None:
                self._wanted[claim] = {"essential": True, "value": value}

    def buyer(self, token: str, deadline: Deadline) -> str:
        if len(token) > _LONGEST:
            raise UntrustedToken(f"its token is longer than {_LONGEST} characters")
        try:
            signed = extract_compact(token.encode("ascii"), None, self._registry)
            kid = self._kid(signed.headers())
            keys = self._keys_for(kid, deadline)
            if not keys:
                raise UntrustedToken("its token was signed by a key that is not known")
            if not any(self._has_signed(key, signed) for key in keys[:_MOST_TRIES]):
                raise UntrustedToken("its token's signature does not match")
            return self._named(json.loads(signed.payload))
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise UntrustedToken(_why(error)) from error

    def _kid(self, header: Any) -> str:
        # The algorithm is the configuration's to choose, not the token's: joserfc checks it again.
        if not isinstance(header, dict) or header.get("alg") not in self._settings.algorithms:
            raise UntrustedToken("its token is signed by an algorithm that is not among those configured")
        if "crit" in header or "b64" in header:
            raise UntrustedToken("its token wants to be read in a way of its own")
        kid = header.get("kid", "")
        if not isinstance(kid, str):
            raise UntrustedToken("its token's kid is no text")
        return kid

    def _has_signed(self, named: NamedKey, signed: CompactSignature) -> bool:
        try:
            return validate_compact(signed, named.key, registry=self._registry)
        except JoseError:  # a key for another algorithm
            return False

    def _named(self, claims: Any) -> str:
        if not isinstance(claims, dict):
            raise UntrustedToken("its token holds no claims")
        if type(claims.get("sub")) is int:  # as PHP's libraries write it
            claims["sub"] = str(claims["sub"])
        now, leeway = int(self._clock.wall()), int(self._settings.leeway)
        JWTClaimsRegistry(now, leeway, **self._wanted).validate(claims)
        value = _claim(claims, self._settings.claim)
        if type(value) is int:
            value = str(value)
        if not isinstance(value, str) or not value:
            raise UntrustedToken(f"its token has no {self._settings.claim}")
        return value


def _claim(claims: dict[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _why(error: Exception) -> str:
    """In words of ours: the library's would repeat what the token says."""
    if isinstance(error, ClaimError):
        return f"its token: {error.error} {', '.join(name for name in error.claim.split(',') if name in _KNOWN)}"
    return f"its token: {error.error}" if isinstance(error, JoseError) else "its token can't be read"


_KNOWN = ("exp", "nbf", "iat", "iss", "aud", "sub", "jti")
