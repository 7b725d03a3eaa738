"""The settings of buyers that a request does not name by itself: whom the storefront knows, and tokens of others."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from seckill_sidecar.settings.section import Choice, Name, Section
from seckill_sidecar.settings.values import Duration, Size

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
    "HS256", "HS384", "HS512",
]  # fmt: skip


class Place(NamedTuple):
    """Where a value of a request stands."""

    kind: Literal["header", "cookie"]
    name: str


class ReadSettings(Choice):
    """Where the storefront's answer names the buyer: exactly one of these keys."""

    header: Name | None = Field(None, description="a header of the answer")
    json_: Name | None = Field(None, alias="json", description="a dotted path into a JSON answer, for example user.id")
    page: Name | None = Field(
        None,
        description="a regular expression (RE2) with one group, that finds the buyer; needs pip install 'seckill-sidecar[page]'",
    )

    def _given(self) -> list[tuple[str, str | None]]:
        return [("header", self.header), ("json", self.json_), ("page", self.page)]


class AskSettings(Section):
    """Ask the storefront who is signed in, as nginx's auth_request would."""

    path: str = Field(description="what is asked for by GET at stores.storefront, for example /account/whoami")
    read: ReadSettings = Field(description="where the answer names the buyer")
    cookies: tuple[Name, ...] = Field((), description="cookies of the client that are sent along; no others are")
    headers: tuple[Name, ...] = Field((), description="headers of the client that are sent along; no others are")
    host: Name | None = Field(None, description="Host to ask for; that of stores.storefront by default")
    nobody: tuple[str, ...] = Field(("0",), description="what the site says in place of a buyer if nobody is signed in")
    cache: Duration = Field(5.0, le=60, description="how long a process remembers who somebody is")
    cache_nobody: Duration = Field(1.0, le=60, description="how long it remembers that somebody is not signed in")
    remember: int = Field(10_000, ge=1, le=1_000_000, description="sessions that a process remembers, at most")
    timeout: Duration = Field(1.0, gt=0, description="one such question, from its first byte to its answer's last")
    connections: int = Field(16, ge=1, le=1000, description="such questions at the same moment, a process")
    body: Size = Field(65536, ge=1, le=1 << 20, description="how much of an answer is read")

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """What of a request is sent along: cookies first."""
        return (*(Place("cookie", name) for name in self.cookies), *(Place("header", name) for name in self.headers))


class JwtSettings(Section):
    """A JSON Web Token that somebody else has signed, whose keys are known."""

    algorithms: tuple[Algorithm, ...] = Field(
        min_length=1, description="by which it may be signed: RS256, ES256 and the like, or HS256 and the like"
    )
    keys: Name | None = Field(
        None,
        description="file:/path of a JWK Set or of a public key in PEM, or the https:// URL of a JWK Set",
    )
    secret: SecretStr | None = Field(
        None, min_length=16, description="for HS256 and the like: ${ENVIRONMENT_VARIABLE} or file:/path"
    )
    header: Name | None = Field(None, description="header that holds it, after Bearer; Authorization by default")
    cookie: Name | None = Field(None, description="cookie that holds it, instead of a header")
    issuer: Name | None = Field(None, description="what its iss has to be")
    audience: Name | None = Field(None, description="what its aud has to name")
    claim: Name = Field("sub", description="what in it is the buyer: a claim's name, or a dotted path")
    leeway: Duration = Field(30.0, le=600, description="how far its times may be off, for clocks that differ")
    refresh: Duration = Field(
        300.0, gt=0, description="age at which keys are looked up anew; if that fails, the old ones stay"
    )
    retry: Duration = Field(
        10.0, gt=0, description="least time between two such looks, however many unknown keys tokens name"
    )
    timeout: Duration = Field(1.0, gt=0, description="each wait of such a look")

    @cached_property
    def place(self) -> Place:
        """Where a request holds it."""
        return (
            Place("cookie", self.cookie) if self.cookie is not None else Place("header", self.header or "Authorization")
        )
