"""Where the sidecar and the operator's API listen, and how nginx and the sidecar work together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from seckill_sidecar.settings.findings import Finding, quoted
from seckill_sidecar.settings.rules.rule import caution, rule
from seckill_sidecar.settings.schema import Settings

_ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,4})", re.ASCII)
_SOCKET = re.compile(r"unix:/[^\x00-\x20]+")


@rule()
def the_sidecar_listens_somewhere(settings: Settings) -> Iterator[Finding]:
    for section, listen, example in _listeners(settings):
        if _own_part(listen) is None:
            what = f"{quoted(listen)} is no address; write for example {example}"
            yield Finding((section, "listen"), what)


@rule("serve")
def the_operator_has_a_door_of_its_own(settings: Settings) -> Iterator[Finding]:
    own = _own_part(settings.operator.listen)
    if own is not None and own == _own_part(settings.serve.listen):
        what = f"{own} is where serve.listen lets everybody in; give the operator another port or socket"
        yield Finding(("operator", "listen"), what)


@rule("operator")
def the_operators_door_is_not_on_the_street(settings: Settings) -> Iterator[Finding]:
    operator = settings.operator
    if not operator.expose and _own_part(operator.listen) is not None and not _is_local(operator.listen):
        what = f"{quoted(operator.listen)} can be reached from elsewhere; use 127.0.0.1, or mean it: expose: true"
        yield Finding(("operator", "listen"), what)


@caution("operator")
def a_door_that_is_exposed_to_nobody(settings: Settings) -> Iterator[Finding]:
    if settings.operator.expose and _is_local(settings.operator.listen):
        yield Finding(("operator", "expose"), "has no use while operator.listen is of this machine only; remove it")


@rule("serve", "stores")
def nginx_can_reach_what_it_is_handed(settings: Settings) -> Iterator[Finding]:
    fault = _out_of_nginxs_reach(settings.stores.storefront)
    if settings.serve.hand_over == "x-accel" and fault:
        yield Finding(("serve", "hand_over"), f"x-accel hands requests to the legacy site, but {fault}")


@rule("stores", "fallbacks")
def nginx_can_reach_what_is_to_stand_in(settings: Settings) -> Iterator[Finding]:
    fault = _out_of_nginxs_reach(settings.stores.storefront)
    if settings.fallbacks.on_sidecar_down == "storefront" and fault:
        yield Finding(("fallbacks", "on_sidecar_down"), f"storefront lets nginx ask the legacy site, but {fault}")


def _out_of_nginxs_reach(storefront: str | None) -> str | None:
    if storefront is None:
        return "nobody says where that is; add stores.storefront"
    if not storefront.startswith("unix:") and urlsplit(storefront).path.strip("/"):
        return "nginx can't put a path before its addresses; remove it from stores.storefront"
    return None


@caution("shield", "keys")
def a_shield_that_nobody_passes(settings: Settings) -> Iterator[Finding]:
    if settings.shield.enabled and not settings.keys:
        what = (
            "without keys: buyers get no cookie to pass the shield; one who asks for his order again may hear sold out"
        )
        yield Finding(("shield", "enabled"), what)


@rule("shield")
def bodies_are_read_for_the_shield(settings: Settings) -> Iterator[Finding]:
    if settings.nginx.body and not settings.shield.enabled:
        yield Finding(("nginx", "body"), "njs reads bodies for the shield, which is off; set shield.enabled: true")


@rule("nginx")
def the_first_of_a_pace(settings: Settings) -> Iterator[Finding]:
    first, pace = settings.nginx.first, settings.nginx.pace
    if first and pace is None:
        yield Finding(("nginx", "first"), "goes before a pace, and there is none; add nginx.pace: 1000/s burst 20000")
    if first and pace is not None and first > pace.burst:
        yield Finding(("nginx", "first"), f"is more than the {pace.burst} of nginx.pace's burst; make that larger")


def _listeners(settings: Settings) -> list[tuple[str, str, str]]:
    return [
        ("serve", settings.serve.listen, "127.0.0.1:8600, [::1]:8600, or unix:/run/seckill.sock"),
        ("operator", settings.operator.listen, "127.0.0.1:8601, [::1]:8601, or unix:/run/seckill-operator.sock"),
    ]


def _own_part(listen: str) -> str | None:
    """What no two listeners may share: the port, or the socket's path; None if it is no address."""
    if _SOCKET.fullmatch(listen):
        return listen
    address = _ADDRESS.fullmatch(listen)
    return f"port {address[2]}" if address and int(address[2]) < 1 << 16 else None


def _is_local(listen: str) -> bool:
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
