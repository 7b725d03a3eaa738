"""What stands within http { }: where the sidecar is, what nginx makes of a request, and how much it lets through.

request ─► $seckill_route_buy, … ────► $seckill_item ─► a marker of that name?
           the item, _all, +, -         the first that is something
           or nothing                ─► $seckill_reads ─► what seckill.js is to look for in the body, if anything
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seckill_sidecar.adapters.markers import ALL_ITEMS
from seckill_sidecar.gate.reply import COOKIE
from seckill_sidecar.model import Rate
from seckill_sidecar.ops.nginx import fields
from seckill_sidecar.ops.nginx.answers import AWAY, COME_BACK, FULL, end_of
from seckill_sidecar.ops.nginx.body import LONGEST, SCRIPT, Reading, reading_of
from seckill_sidecar.ops.nginx.patterns import SKU, encoded, literal, strictly
from seckill_sidecar.ops.nginx.rerouting import maps
from seckill_sidecar.ops.nginx.sight import Sight, sees, sight_of
from seckill_sidecar.settings.schema import Route, Settings, Source

_BOUNDED = "seckill_gate"
_UNSEEN = "-"
"""No item has this name, so that no marker has it either."""
_IN_BODY = "+"
"""Nor this; the body tells more. The item follows, where it stands elsewhere."""


def http_part(settings: Settings) -> str:
    """The text of the file."""
    return "\n".join(_lines(settings)) + "\n"


def _lines(settings: Settings) -> Iterator[str]:
    yield from _upstream("seckill_sidecar", settings.serve.listen)
    if settings.nginx.at_once:
        yield from _bounded(settings.serve.listen, settings.nginx.at_once, _unanswered(settings))
    yield from _host()
    yield from _forms(settings.pages.languages)
    yield from maps(settings)
    yield from _waits(settings.serve.prefix)
    if settings.shield.enabled:
        readings = [reading_of(route, settings) for route in settings.routes]
        yield from _items(settings.routes, readings)
        yield from _reads(settings.routes, readings)
        yield from _secure_cookie()
    if settings.fallbacks.on_sidecar_down == "storefront":
        yield from _when_down()
    if settings.serve.hand_over == "x-accel":
        yield from _how_it_failed()
    yield from _zones(settings)


def gate_of(settings: Settings) -> str:
    """The upstream that purchases go to."""
    return _BOUNDED if settings.nginx.at_once else "seckill_sidecar"


def when_unanswered(settings: Settings) -> str:
    """Where a purchase goes on that the sidecar did not answer, as ``error_page`` takes it."""
    return "$seckill_unanswered" if settings.nginx.at_once else _unanswered(settings)


def _unanswered(settings: Settings) -> str:
    down = settings.fallbacks.on_sidecar_down == "storefront"
    return "$seckill_when_down" if down else f"@seckill_{AWAY.name}$seckill_form"


def _bounded(listen: str, at_once: int, otherwise: str) -> Iterator[str]:
    yield ""
    yield f"# The same for purchases: {at_once} at the same moment, counted by all of nginx's workers together."
    yield from _upstream(_BOUNDED, listen, f" max_conns={at_once}", "    zone seckill_gate 64k;\n")
    yield f"""
# What no server was asked for has begun nothing, and has only to come back; not all at the same moment.
map $upstream_addr $seckill_unanswered {{
    {_BOUNDED} @seckill_{FULL.name}$seckill_form;
    default {otherwise};
}}
split_clients $request_id ${COME_BACK} {{
    33% 1;
    33% 2;
    * 3;
}}"""


def _upstream(name: str, listen: str, bound: str = "", zone: str = "") -> Iterator[str]:
    address = listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
    yield f"""\
upstream {name} {{
{zone}    server {address}{bound};

    # Idle connections are closed by nginx before gunicorn does it after 15 s: a purchase sent on a connection
    # that is just being closed would be a 502, and purchases are not sent twice.
    keepalive 64;
    keepalive_timeout 10s;
    keepalive_requests 100000;
}}"""


def _host() -> Iterator[str]:
    yield """
# The host as nginx has understood it, with the port that the client named.
map $http_host $seckill_port {
    "~(?<seckill_named_port>:[0-9]+)$" $seckill_named_port;
    default "";
}"""


def _forms(languages: Sequence[str]) -> Iterator[str]:
    more = languages[1:]
    if more:
        yield "\n# The first language of those that a browser asks for in which there is a page."
        yield "map $http_accept_language $seckill_language {"
        for tag in sorted(more, key=len, reverse=True):
            yield f'    "~*^{_asks_first(tag, [other for other in languages if other != tag])}" {end_of(tag)};'
        yield '    default "";\n}'
    yield f"""
# Browsers get a page, programs problem JSON. What most of them send is known without a regular expression.
map $http_accept $seckill_form {{
    "" "";
    "*/*" "";
    application/json "";
    "~*^(?:(?!json).)*text/html" _page{"$seckill_language" if more else ""};
    default "";
}}"""


def _asks_first(tag: str, others: Sequence[str]) -> str:
    """A regular expression for headers in which this language comes before all others that there are."""
    whole = "(?<![A-Za-z0-9-])(?:{})(?![A-Za-z0-9])"
    return f"(?:(?!{whole.format('|'.join(others))}).)*?{whole.format(tag)}"


def _waits(prefix: str) -> Iterator[str]:
    yield f"""
# Who waits for the result of a purchase: events, a WebSocket, or ?wait= at the order itself, wherever in the query it
# stands, and also if it is spelled with a %.
map "$uri?$args" $seckill_waits {{
    "~^{literal(prefix)}orders/[^/]+(?:/events|/socket)\\?" 1;
    "~^{literal(prefix)}orders/[^/?]+\\?(?:.*&)?(?:wait=.|[^=&]*%)" 1;
    default "";
}}
map $http_upgrade $seckill_upgrade {{
    "~*^websocket$" websocket;
    default "";
}}
map $seckill_upgrade $seckill_connection {{
    websocket upgrade;
    default "";
}}"""


def _items(routes: Sequence[Route], readings: Sequence[Reading | None]) -> Iterator[str]:
    yield from fields.maps(routes)
    yield from fields.keys(routes)
    yield "\n# Which item's markers a purchase is held against. None for who may hold an order already: their request"
    yield "# carries our cookie or the key of a purchase, and only the gate knows what became of that."
    for route, reading in zip(routes, readings, strict=True):
        yield from _route_map(route, reading)
    if len(routes) == 1:
        yield f"\nmap {_first(routes)} $seckill_item {{\n    default {_first(routes)};\n}}"
    else:
        yield f"""
map "{_first(routes)}" $seckill_item {{
    "~^,*(?<seckill_first>[^,]+)" $seckill_first;
    default "";
}}"""


def _reads(routes: Sequence[Route], readings: Sequence[Reading | None]) -> Iterator[str]:
    if not any(readings):
        return
    yield f"""
# What stands in the body, {SCRIPT} reads, if the body is short and says how long it is. Where nginx does not find the
# file beside its own configuration, js_path "folder"; names the place.
js_import seckill_body from {SCRIPT};
map "{_first(routes)}|$content_length|$content_type" $seckill_reads {{"""
    for i, reading in enumerate(readings):
        if reading is not None:
            before = f",{{{i}}}" if i else ""
            yield f'    "~^{before}[_+][^|]*\\|{LONGEST}\\|{reading.content_type}" {reading.spelled()};'
    yield '    default "";\n}'


def _first(routes: Sequence[Route]) -> str:
    return ",".join(f"${_name(route)}" for route in routes)


def _name(route: Route) -> str:
    return f"seckill_route_{route.name.replace('-', '_')}"


def _route_map(route: Route, reading: Reading | None) -> Iterator[str]:
    parts = [("$request_method", _either(route.methods))]
    if route.host:
        parts.append(("$host", literal(route.host.lower())))
    parts.append(("$uri", strictly(route.path, _in_the_path(route.item))))
    for name, wanted in route.query.items():
        condition = fields.seen(Source(query=name))
        if condition is not None:
            parts.append((condition, encoded(wanted)))
    item = None if isinstance(route.item, str) else fields.seen(route.item)
    if item is not None:
        parts.append((item, f"(?<seckill_sku>{SKU})"))
    source, pattern = "|".join(part for part, _ in parts), "\\|".join(regex for _, regex in parts)
    yield f"""
map "{source}|$cookie_{COOKIE}{fields.passes(route)}" ${_name(route)} {{
    "~^{pattern}\\|\\z" {_value(route, reading)};
    "~^{pattern}\\|" {_UNSEEN};
    default "";
}}"""


def _value(route: Route, reading: Reading | None) -> str:
    """The item, or what stands for it, if the request is this route's."""
    match sight_of(route):
        case Sight.ITEM:
            return _seen_item(route.item)
        case Sight.ALL:
            return ALL_ITEMS
    return _UNSEEN if reading is None else f"{_IN_BODY}{_seen_item(route.item)}"


def _seen_item(item: Source | str) -> str:
    if isinstance(item, str):
        return item
    return "$seckill_sku" if sees(item) else ""


def _in_the_path(item: Source | str) -> str | None:
    return None if isinstance(item, str) else item.path


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"(?:{'|'.join(words)})"


def _secure_cookie() -> Iterator[str]:
    yield """
map $scheme $seckill_secure {
    https secure;
    default nosecure;
}"""


def _when_down() -> Iterator[str]:
    yield """
# A request that never reached the sidecar has begun nothing, so the storefront may have it; but none that seckill.js
# sends again, since the storefront may have it already.
map "$http_seckill_try|$upstream_connect_time" $seckill_when_down {
    "~^again\\|" @seckill_away$seckill_form;
    "~-$" @seckill_storefront;
    default @seckill_away$seckill_form;
}"""


def _how_it_failed() -> Iterator[str]:
    yield """
# Whether the shop surely did not take an accepted purchase: it was never reached, or said so.
map "$upstream_status|$upstream_connect_time" $seckill_how {
    "~-$" down;
    "~50[0135]\\|" down;
    default unknown;
}"""


def _zones(settings: Settings) -> Iterator[str]:
    nginx = settings.nginx
    if nginx.address or nginx.connections or nginx.pace:
        yield ""
    if nginx.address:
        yield f"limit_req_zone $binary_remote_addr zone=seckill_address:16m rate={_rate(nginx.address)};"
    if nginx.connections:
        yield "limit_conn_zone $binary_remote_addr zone=seckill_connections:16m;"
    if nginx.pace:
        yield f"limit_req_zone all zone=seckill_pace:64k rate={_rate(nginx.pace)};"


def _rate(rate: Rate) -> str:
    """In the two units that nginx has, rounded up."""
    by_second = rate.count / rate.per
    return f"{by_second:.0f}r/s" if by_second == int(by_second) else f"{max(1, -(-rate.count * 60 // rate.per)):.0f}r/m"
