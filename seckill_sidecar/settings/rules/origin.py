"""Who a buyer is, why that can be believed, and the keys that sign."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface, ip_network

from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import buyers, caution, routes, rule
from seckill_sidecar.settings.schema import Settings

_BELIEVABLE = {"proxy": ("header",), "signed": ("header", "cookie"), "server": ("environ",)}
"""From where a buyer can come for each trust; ``client`` may take it from anywhere."""


@rule("identity")
def every_route_has_a_buyer(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if not route.buyer and not settings.identity.buyer:
            yield Finding(path, "has no buyer; add buyer: here, or once for all routes under identity:")


@rule()
def trust_fits_where_the_buyer_comes_from(settings: Settings) -> Iterator[Finding]:
    for path, buyer in buyers(settings):
        kinds = _BELIEVABLE.get(buyer.trust or "") if buyer.elsewhere is None else None
        if kinds and buyer.kind not in kinds:
            what = f"{buyer.trust} can't vouch for a {buyer.kind}; take the buyer from {' or '.join(kinds)}"
            yield Finding((*path, "trust"), what)
        elif buyer.trust == "server" and buyer.name.startswith("HTTP_"):
            what = f"{quoted(buyer.name)} is a header that any client can send; name what the server itself sets"
            yield Finding((*path, "environ"), what)


@rule("keys")
def tokens_need_a_key(settings: Settings) -> Iterator[Finding]:
    for path, buyer in buyers(settings):
        if buyer.trust == "signed" and not settings.keys:
            yield Finding((*path, "trust"), f"signed needs a key; {_ADD_KEY}")


@rule("keys")
def signed_replies_need_a_key(settings: Settings) -> Iterator[Finding]:
    for path, route in routes(settings):
        if route.on_accept in ("storefront", "redirect") and not settings.keys:
            yield Finding((*path, "on_accept"), f"{route.on_accept} signs what it sends; {_ADD_KEY}")


_ADD_KEY = "add keys: with an id and a secret: ${SECKILL_KEY}"


@rule()
def trusted_proxies_are_networks(settings: Settings) -> Iterator[Finding]:
    for i, peer in enumerate(settings.identity.trusted_proxies):
        fault = None if peer == "unix" else _network_fault(peer)
        if fault:
            yield Finding(("identity", "trusted_proxies", i), f"{quoted(peer)} {fault}")


def _network_fault(peer: str) -> str | None:
    try:
        ip_network(peer)
    except ValueError:
        pass
    else:
        return None
    try:
        return f"has bits set beyond its mask; write {ip_interface(peer).network}"
    except ValueError:
        return "is no network; write for example 10.0.0.0/8, or unix for any UNIX socket"


@rule("identity")
def a_proxy_must_be_trusted(settings: Settings) -> Iterator[Finding]:
    for path, buyer in buyers(settings):
        if buyer.trust == "proxy" and not settings.identity.trusted_proxies:
            yield Finding(
                (*path, "trust"), "proxy believes nobody while identity.trusted_proxies is empty; name nginx there"
            )


@rule()
def the_address_header_is_one(settings: Settings) -> Iterator[Finding]:
    header = settings.identity.address_header
    if not header.replace("-", "").isalnum() or not header.isascii():
        yield Finding(
            ("identity", "address_header"), f"{quoted(header)} is no header's name; write for example X-Real-IP"
        )


# -- what works, but is hardly meant ---------------------------------------------------------------


@caution()
def buyers_that_anyone_can_be(settings: Settings) -> Iterator[Finding]:
    for path, buyer in buyers(settings):
        if buyer.trust == "client":
            what = "client lets anyone be any buyer; for real sales use proxy, signed or server"
            yield Finding((*path, "trust"), what)


@caution()
def proxies_that_anyone_can_be(settings: Settings) -> Iterator[Finding]:
    for i, peer in enumerate(settings.identity.trusted_proxies):
        if peer.endswith("/0"):
            what = f"{quoted(peer)} believes the headers of every client; name the proxies' own networks"
            yield Finding(("identity", "trusted_proxies", i), what)


@caution("identity", "limits")
def address_limits_behind_an_unknown_proxy(settings: Settings) -> Iterator[Finding]:
    for name in ("address", "orders_per_address"):
        if getattr(settings.limits, name) and not settings.identity.trusted_proxies:
            what = "without identity.trusted_proxies, all clients behind nginx count as one address; name nginx there"
            yield Finding(("limits", name), what)
