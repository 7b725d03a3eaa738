"""What challenges need: keys, packages, an account with whoever examines them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import urlsplit

from seckill_sidecar.settings.challenges import SiteverifySettings
from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import caution, routes, rule
from seckill_sidecar.settings.schema import Settings
from seckill_sidecar.settings.values import format_duration

_PACKAGES = {
    "altcha": ("altcha", "altcha"),
    "image": ("captcha", "captcha"),
    "turnstile": ("urllib3", "siteverify"),
    "hcaptcha": ("urllib3", "siteverify"),
}
"""The module that each kind needs, and the extra that brings it."""
_SIGNED = ("altcha", "image")
_HEADER = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_MOST_DRAWINGS = 20.0
"""A second; each takes some milliseconds of the process that has purchases to decide."""


@rule("keys", "challenges")
def a_challenge_has_what_it_needs(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        kind = route.challenge
        if kind is None:
            continue
        if kind in _SIGNED and not settings.keys:
            what = f"{kind} signs what it gives; add keys: with an id and a secret: ${{SECKILL_KEY}}"
            yield Finding((*path, "challenge"), what)
        elif kind not in _SIGNED and not _is_complete(_service(settings, kind)):
            what = f"{kind} needs an account there; set site_key and secret under challenges: {kind}:"
            yield Finding((*path, "challenge"), what)
        elif find_spec(_PACKAGES[kind][0]) is None:
            what = f"{kind} needs an extra package: pip install 'seckill-sidecar[{_PACKAGES[kind][1]}]'"
            yield Finding((*path, "challenge"), what)


@rule()
def solutions_are_examined_in_private(settings: Settings) -> Iterator[Finding]:
    for kind in ("turnstile", "hcaptcha"):
        if not _is_private(_service(settings, kind).url):
            what = (
                "takes our secret, so it has to be an https:// address (http:// only on this machine), without a query"
            )
            yield Finding(("challenges", kind, "url"), what)


@rule("timeouts")
def examining_leaves_time_to_buy(settings: Settings) -> Iterator[Finding]:
    whole = settings.timeouts.request
    for kind in ("turnstile", "hcaptcha"):
        timeout = _service(settings, kind).timeout
        if timeout >= whole and any(route.challenge == kind for _, route in routes(settings)):
            mine, all_of_it = format_duration(timeout), format_duration(whole)
            what = f"{mine} leaves nothing of timeouts.request ({all_of_it}) for the purchase; shorten it"
            yield Finding(("challenges", kind, "timeout"), what)


@rule()
def solutions_arrive_in_headers_of_their_own(settings: Settings) -> Iterator[Finding]:
    challenges = settings.challenges
    named = [((kind, "header"), getattr(challenges, kind).header) for kind in _PACKAGES]
    for where, header in [*named, (("image", "token_header"), challenges.image.token_header)]:
        if header is not None and (not _HEADER.fullmatch(header) or header.lower().startswith("x-seckill-")):
            what = (
                f"{quoted(header)} does not arrive here; write letters, digits and -, and no name of ours (X-Seckill-…)"
            )
            yield Finding(("challenges", *where), what)


@rule()
def a_picture_has_two_fields(settings: Settings) -> Iterator[Finding]:
    image = settings.challenges.image
    if image.field == image.token:
        yield Finding(("challenges", "image", "token"), "is the field of the answer, too; give each its own")


@rule()
def drawing_leaves_time_to_sell(settings: Settings) -> Iterator[Finding]:
    image = settings.challenges.image
    if image.pool / image.age > _MOST_DRAWINGS:
        what = (
            f"draws {image.pool / image.age:.0f} pictures a second in each process; lengthen it, or keep a smaller pool"
        )
        yield Finding(("challenges", "image", "age"), what)


@caution()
def a_challenge_that_not_all_meet(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if route.challenge is not None and route.mode == "shadow":
            yield Finding((*path, "challenge"), "is put to nobody in shadow: who would have failed it isn't told")


@caution()
def a_secret_that_nothing_uses(settings: Settings) -> Iterator[Finding]:
    used = {route.challenge for _, route in routes(settings)}
    for kind in ("turnstile", "hcaptcha"):
        if _service(settings, kind).secret is not None and kind not in used:
            yield Finding(("challenges", kind), f"no route has challenge: {kind}; add it to one, or remove this")


def _service(settings: Settings, kind: str) -> SiteverifySettings:
    found: SiteverifySettings = getattr(settings.challenges, kind)
    return found


def _is_complete(service: SiteverifySettings) -> bool:
    return service.secret is not None and service.site_key is not None


def _is_private(url: str) -> bool:
    try:
        parts = urlsplit(url)
        sane = bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        return False
    if not sane or parts.query or parts.fragment or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
