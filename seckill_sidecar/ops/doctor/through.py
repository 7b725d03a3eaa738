"""Whether nginx sends to the gate what it must, asked through nginx itself.

doctor ─► nginx ─► gate: "this arrived, like this"      anything else that answers is the storefront
               ─► marker? "sold out"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from seckill_sidecar.errors import StoreError
from seckill_sidecar.ops.doctor.finding import Finding, Subject
from seckill_sidecar.ops.doctor.requests import SKU, Probe, purchase_of, spellings
from seckill_sidecar.ops.doctor.storefront import Ask, Told
from seckill_sidecar.settings.schema import Route, Settings

_NGINX = Subject("nginx")
_ROUTE_IT = "write the configuration anew (seckill-sidecar nginx), include it, and reload nginx"
_VERDICT = "urn:seckill:verdict:"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Door:
    """The way through nginx."""

    ask: Ask
    nonce: str
    token: str
    """Proves to the gate that the site itself asks."""
    mark: Callable[[bool], None] | None
    """Puts the marker of what does not exist, or takes it away; None without a shield."""
    shielded: tuple[Route, ...]
    """Routes whose item nginx can see."""


def examine(door: Door, settings: Settings, files: list[int]) -> Iterator[Finding]:
    """Every route, in all its spellings. Notes in ``files`` how many a worker may open."""
    forged = dict.fromkeys(_identity_headers(settings), door.nonce)
    reached = []
    for route in settings.routes:
        probe = purchase_of(route)
        if probe is None:
            yield _NGINX.skipped(f"route-{route.name}", "its item is fixed, so asking might buy it")
            continue
        probe = replace(probe, headers={**forged, **probe.headers, "X-Seckill-Probe": door.token})
        finding, told = _reach(door, route, probe)
        yield finding
        if told is not None:
            reached.append(told)
            yield _spelled(door, route, probe)
            yield from _shield(door, route, probe)
    if reached:
        yield _own_addresses(door, settings.serve.prefix)
        files.append(int(reached[0]["files"]))
        yield from _arrival(reached[0])


def _identity_headers(settings: Settings) -> list[str]:
    sources = [settings.identity.buyer, *(route.buyer for route in settings.routes)]
    buyers = [source.header for source in sources if source and source.header and source.trust == "proxy"]
    return [*buyers, settings.identity.address_header]


def _reach(door: Door, route: Route, probe: Probe) -> tuple[Finding, Mapping[str, Any] | None]:
    """Whether a purchase as it should be spelled reaches the gate, and what arrives there."""
    check = f"route-{route.name}"
    sent = f"{probe.method} {probe.target}"
    try:
        answer = _send(door.ask, probe, probe.path)
    except StoreError as error:
        return _NGINX.fail(check, error.what, "start nginx, or mend the address after --through"), None
    told = _told(answer, door.nonce)
    if told is None:
        return _gone_elsewhere(check, sent, answer), None
    if told["route"] != route.name:
        taken = {"": "no purchase", "?": "ambiguous"}.get(told["route"], f"route {told['route']}")
        says = f"{sent} reaches the gate as {told['host']}{told['target']}, which it takes for {taken}"
        remedy = "reload the sidecar, if the YAML is newer; else let nginx pass Host and path on as they were sent"
        return _NGINX.fail(check, says, remedy), None
    return _NGINX.ok(check, f"{sent} reaches the gate"), told


def _gone_elsewhere(check: str, sent: str, answer: Told) -> Finding:
    if _verdict(answer) == "unavailable":
        return _NGINX.fail(check, f"{sent}: the sidecar is away, nginx says", "systemctl start seckill-sidecar")
    says = f"{sent} is answered {answer.status}, and not by this site's gate: the shop sells past it"
    return _NGINX.fail(check, says, f"{_ROUTE_IT}; if the sidecar has other keys than this file, reload it")


def _spelled(door: Door, route: Route, probe: Probe) -> Finding:
    """Whether the other spellings do so, too, and as they were sent."""
    check, paths = f"spellings-{route.name}", spellings(probe.path)
    past, changed = [], []
    try:
        for path in paths:
            answer = _send(door.ask, probe, path)
            told = _told(answer, door.nonce)
            if told is None and not _verdict(answer):
                past.append(path)
            elif told is not None and told["target"] != replace(probe, path=path).target:
                changed.append(f"{path} as {told['target']}")
    except StoreError as error:
        return _NGINX.fail(check, error.what, "see nginx's error log")
    if past:
        says = f"{len(past)} of {len(paths)} other spellings go to the shop, which may take them for purchases"
        return _NGINX.fail(check, f"{says}: {' '.join(past)}", _ROUTE_IT)
    if changed:
        says = f"paths arrive changed ({changed[0]}), so the gate can't see which are ambiguous"
        return _NGINX.warn(check, says, "write proxy_pass http://seckill_sidecar; without a path, not even a slash")
    return _NGINX.ok(check, f"{len(paths)} other spellings reach the gate, too")


def _own_addresses(door: Door, prefix: str) -> Finding:
    target = f"{prefix}orders/{SKU}"
    try:
        told = _told(door.ask("GET", target, {"X-Seckill-Probe": door.token}, b""), door.nonce)
    except StoreError as error:
        return _NGINX.fail("own-addresses", error.what, "see nginx's error log")
    if told is None:
        says = f"{target} does not reach the gate: buyers can't ask what became of their orders"
        return _NGINX.fail("own-addresses", says, _ROUTE_IT)
    return _NGINX.ok("own-addresses", f"{prefix} reaches the gate")


def _shield(door: Door, route: Route, probe: Probe) -> Iterator[Finding]:
    check = f"shield-{route.name}"
    if door.mark is None:
        return
    if route not in door.shielded:
        yield _NGINX.skipped(check, "nginx can't see this route's item")
        return
    try:
        answers = _marked(door.ask, door.mark, probe)
    except StoreError as error:
        why = f"no marker can be put here ({error.what}); ask on nginx's host, as the service's user"
        yield _NGINX.skipped(check, why)
        return
    if answers:
        yield _NGINX.ok(check, "nginx answers for an item that is marked")
    else:
        says = "nginx does not answer for an item that is marked: all losers reach the sidecar"
        yield _NGINX.fail(check, says, f"{_ROUTE_IT}; nginx has to be able to search shield.folder")


def _marked(ask: Ask, mark: Callable[[bool], None], probe: Probe) -> bool:
    """Whether nginx answers for a marker. The keeper, who knows no such item, takes each away after a moment."""
    try:
        for _ in range(_TRIES):
            mark(True)
            if _verdict(_send(ask, probe, probe.path)) == "sold_out":
                return True
    finally:
        mark(False)
    return False


def _arrival(told: Mapping[str, Any]) -> Iterator[Finding]:
    """What the gate can believe of what nginx says."""
    if not told["trusted"]:
        yield _NGINX.fail(
            "trusted-proxy",
            "nginx's own address is not among identity.trusted_proxies: the gate believes none of its headers",
            "add the address that nginx connects from to identity.trusted_proxies",
        )
    else:
        yield _NGINX.ok("trusted-proxy", "the gate believes what nginx says")
    if told["let_through"]:
        yield _NGINX.fail(
            "identity",
            f"nginx passes on what clients say in {', '.join(told['let_through'])}: anybody can pose as anybody",
            "set or empty them by proxy_set_header, as the configuration of seckill-sidecar nginx does",
        )
    else:
        yield _NGINX.ok("identity", "nginx overwrites what clients say of themselves")


def _send(ask: Ask, probe: Probe, path: str) -> Told:
    return ask(probe.method, replace(probe, path=path).target, probe.headers, probe.body)


def _told(answer: Told, nonce: str) -> Mapping[str, Any] | None:
    """What the gate says of this probe; None if somebody else has answered."""
    found = _json(answer)
    return found if found.get("probe") == nonce else None


def _verdict(answer: Told) -> str:
    kind = str(_json(answer).get("type", ""))
    return kind.removeprefix(_VERDICT) if kind.startswith(_VERDICT) else ""


def _json(answer: Told) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
