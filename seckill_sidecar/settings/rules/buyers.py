"""Buyers whom the storefront knows (``ask``), and tokens of others (``jwt``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from seckill_sidecar.settings.buyers import AskSettings, JwtSettings
from seckill_sidecar.settings.findings import Finding, Path, quoted
from seckill_sidecar.settings.rules.routing import name_fault
from seckill_sidecar.settings.rules.rule import buyers, caution, rule
from seckill_sidecar.settings.schema import BuyerSource, Settings
from seckill_sidecar.settings.values import format_duration
from seckill_sidecar.wire import page

_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_NOT_SENT_ALONG = frozenset((
    "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive", "proxy-connection", "range",
    "te", "trailer", "transfer-encoding", "upgrade",
))  # fmt: skip
"""They would change what the storefront answers, or how it is read, without saying who anybody is."""


def _asked(settings: Settings) -> Iterator[tuple[Path, AskSettings]]:
    for path, buyer in buyers(settings):
        if buyer.ask is not None:
            yield (*path, "ask"), buyer.ask


def _jwts(settings: Settings) -> Iterator[tuple[Path, JwtSettings]]:
    for path, buyer in buyers(settings):
        if buyer.jwt is not None:
            yield (*path, "jwt"), buyer.jwt


@rule()
def trust_is_said_where_it_does_not_follow(settings: Settings) -> Iterator[Finding]:
    for path, buyer in buyers(settings):
        if buyer.elsewhere is None and buyer.trust is None:
            what = f"is missing; add it: {BuyerSource.model_fields['trust'].description}"
            yield Finding((*path, "trust"), what)
        elif buyer.elsewhere is not None and buyer.trust is not None:
            yield Finding((*path, "trust"), f"follows from {buyer.kind}: by itself; remove it")


# -- asking the storefront -------------------------------------------------------------------------


@rule("stores")
def there_is_somebody_to_ask(settings: Settings) -> Iterator[Finding]:
    for path, _ in _asked(settings):
        if settings.stores.storefront is None:
            yield Finding(path, "asks nobody; name the site in stores.storefront, for example http://127.0.0.1:8080")


@rule()
def questions_have_a_path(settings: Settings) -> Iterator[Finding]:
    for path, ask in _asked(settings):
        clean = ask.path.isascii() and ask.path.isprintable() and not set(" #\\") & set(ask.path)
        if not ask.path.startswith("/") or not clean:
            what = (
                f"{quoted(ask.path)} can't be asked for; write it as in a browser, encoded, for example /account/whoami"
            )
            yield Finding((*path, "path"), what)
        if ask.host is not None and not _HOST.fullmatch(ask.host):
            yield Finding((*path, "host"), f"{quoted(ask.host)} is no host; write for example shop.example.com")


@rule()
def questions_say_about_whom(settings: Settings) -> Iterator[Finding]:
    for path, ask in _asked(settings):
        if not ask.places:
            yield Finding(path, "sends nothing of the client along; add the session's cookie, as cookies: [PHPSESSID]")
        for key, kind, names in (("cookies", "cookie", ask.cookies), ("headers", "header", ask.headers)):
            for i, name in enumerate(names):
                fault = name_fault(kind, name)
                if kind == "header" and name.lower() in _NOT_SENT_ALONG:
                    fault = "can't be sent along; name cookies under cookies:, a host under host:"
                if fault:
                    yield Finding((*path, key, i), f"{quoted(name)} {fault}")


@rule()
def answers_can_be_read(settings: Settings) -> Iterator[Finding]:
    for path, ask in _asked(settings):
        kind, name = ask.read.kind, ask.read.name
        fault = page.fault_of(name) if kind == "page" else None
        if kind == "header" and not all(character.isalnum() or character in "-_" for character in name):
            fault = "is no header's name; write for example X-User"
        if kind == "json":
            fault = name_fault(kind, name)
        if fault:
            yield Finding((*path, "read", kind), f"{quoted(name)} {fault}")


@rule("timeouts")
def questions_fit_into_a_request(settings: Settings) -> Iterator[Finding]:
    whole = settings.timeouts.request
    for path, ask in _asked(settings):
        if ask.timeout > whole:
            what = (
                f"{format_duration(ask.timeout)} is longer than timeouts.request ({format_duration(whole)}); shorten it"
            )
            yield Finding((*path, "timeout"), what)


# -- tokens of others ------------------------------------------------------------------------------


@rule()
def tokens_come_from_one_place(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        if jwt.header is not None and jwt.cookie is not None:
            yield Finding(path, "comes from a header and from a cookie; keep one")
        fault = name_fault(*jwt.place)
        if fault:
            yield Finding((*path, jwt.place.kind), f"{quoted(jwt.place.name)} {fault}")
        if name_fault("json", jwt.claim) and not urlsplit(jwt.claim).scheme:
            yield Finding((*path, "claim"), f"{quoted(jwt.claim)} names no claim; write for example sub, or user.id")


@rule()
def tokens_have_one_kind_of_key(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        shared = [name for name in jwt.algorithms if name.startswith("HS")]
        if shared and len(shared) < len(jwt.algorithms):
            what = f"mixes {shared[0]}, which has a shared secret, with public keys, which all may know; keep one kind"
            yield Finding((*path, "algorithms"), what)
        elif (jwt.keys is None) == (jwt.secret is None):
            has = "no key" if jwt.keys is None else "keys: and a secret:"
            wanted = "a secret: ${JWT_SECRET}" if shared else "keys: file:/path or https://…"
            yield Finding(path, f"has {has}; write {wanted}, and that alone")
        elif jwt.secret is not None and not shared:
            yield Finding(
                (*path, "secret"), f"can't verify {jwt.algorithms[0]}, which has public keys; write keys: instead"
            )
        elif shared and jwt.keys is not None and not jwt.keys.startswith("file:"):
            what = "would publish a secret: whoever reads it signs; write secret:, or keys: file:/path"
            yield Finding((*path, "keys"), what)


@rule()
def secrets_are_no_public_keys(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        if jwt.secret is not None and "-----BEGIN " in jwt.secret.get_secret_value():
            what = "is a key in PEM, and a public one is known to all; write keys: file:/path with RS256 or the like"
            yield Finding((*path, "secret"), what)


@rule()
def keys_have_a_place(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        if jwt.keys is not None and not jwt.keys.startswith("file:/") and not _host_of(jwt.keys):
            what = (
                f"{quoted(jwt.keys)} is no place of keys; write file:/absolute/path, or the https:// URL of a JWK Set"
            )
            yield Finding((*path, "keys"), what)


def _host_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        sane = parts.scheme in ("http", "https") and parts.port != 0 and "@" not in parts.netloc and not parts.fragment
    except ValueError:
        return None
    return parts.hostname if sane and url.isascii() and url.isprintable() and " " not in url else None


# -- what works, but is hardly meant ---------------------------------------------------------------


@caution()
def tokens_for_whom_it_may_concern(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        if jwt.audience is None:
            what = "believes tokens that were made for other sites of the same issuer; add audience:, as its aud has it"
            yield Finding(path, what)


@caution()
def keys_that_others_can_change(settings: Settings) -> Iterator[Finding]:
    for path, jwt in _jwts(settings):
        host = _host_of(jwt.keys or "")
        if host is not None and urlsplit(jwt.keys).scheme == "http" and not _is_here(host):
            yield Finding((*path, "keys"), "can be exchanged on the way, and with them all buyers; write https://")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
