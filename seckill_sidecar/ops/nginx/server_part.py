"""What stands within server { }: which requests go to the sidecar, and what nginx answers by itself.

a purchase's path ─► marked? ──────────────► 409
                  ─► @seckill_read: seckill.js reads the body ─► @seckill_turn: marked? ─► 409
                  ─► its turn (pace) ─► @seckill_gate: marked by now? ─► 409
                                                       sidecar ─► its answer
                                                               ─► @seckill_accepted     handed over, signed
                                                               ─► @seckill_storefront   handed over
                                                               ─► @seckill_away         no answer
                                                       full ───► @seckill_full          not asked (at_once)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from seckill_sidecar.gate.reply import COOKIE, RECEIPT_HEADER
from seckill_sidecar.ops.nginx import answers
from seckill_sidecar.ops.nginx.body import BUFFER, reading_of
from seckill_sidecar.ops.nginx.http_part import gate_of, when_unanswered
from seckill_sidecar.ops.nginx.patterns import BEFORE, ODD_SPELLINGS, loosely
from seckill_sidecar.ops.nginx.rerouting import elsewhere, refusal
from seckill_sidecar.ops.nginx.sight import any_sees_all
from seckill_sidecar.settings.schema import RequestKind, Settings

SIGNED = ("Order", "Item", "Buyer", "Quantity", "Time", "Key", "Signature")
_TO_RESULTS, _TO_READ, _TO_GATE, _TO_STOREFRONT, _FIRST_ANSWER = 458, 459, 460, 461, 462
"""Statuses that nobody sees: they lead to a named location."""


def server_part(settings: Settings) -> str:
    """The text of the file."""
    return "\n".join(_Part(settings).lines()) + "\n"


class _Part:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shielded = settings.shield.enabled
        self._reads = any(reading_of(route, settings) for route in settings.routes)
        self._storefront = _address(settings.stores.storefront)

    def lines(self) -> Iterator[str]:
        settings = self._settings
        alone = [route for route in settings.routes if not (route.query or route.form)]
        among = [kind for kind in (*settings.routes, *settings.settles) if kind not in alone]
        yield from self._whole_server()
        if alone:
            yield from self._purchases(alone)
        yield from self._others(among)
        yield from self._own()
        if self._reads:
            yield from self._reading()
        yield from self._gate()
        yield from self._results()
        if self._storefront:
            yield from self._to_storefront()
        if settings.serve.hand_over == "x-accel":
            yield from self._handed_over()
        said = answers.Answers(settings)
        for saying in self._sayings():
            yield from said.locations(saying)
        if self._shielded:
            yield from said.not_open_locations(settings.serve.prefix, settings.shield.folder)

    def _sayings(self) -> list[answers.Saying]:
        shield = [answers.SOLD_OUT, answers.CLOSED] if self._shielded else []
        full = [answers.FULL] if self._settings.nginx.at_once else []
        return [*shield, answers.AWAY, *full, *([answers.CROWDED] if self._crowds else [])]

    @property
    def _crowds(self) -> bool:
        nginx = self._settings.nginx
        return bool(nginx.address or nginx.connections or nginx.pace)

    def _whole_server(self) -> Iterator[str]:
        yield from refusal(self._settings)
        if self._patience:
            yield f"""\
# Who dawdles over a request's head, or over its answer, keeps no connection for long. If nginx finds these lines
# twice, since this server has its own: nginx.patience: null.
client_header_timeout {self._patience};
send_timeout {self._patience};
reset_timedout_connection on;
"""

    @property
    def _patience(self) -> str:
        patience = self._settings.nginx.patience
        return "" if patience is None else f"{math.ceil(patience)}s"

    # -- who goes to the sidecar

    def _purchases(self, routes: Sequence[RequestKind]) -> Iterator[str]:
        yield f"""\
# Purchases, however they are spelled: nginx compares the path after decoding it and folding // and /../, and passes it
# on as the client sent it. What only looks like a purchase comes back from the shop through the sidecar as if it had
# gone there straight; what slips past this line is refused by the shop, which takes signed purchases only.
location ~* "{_paths(routes)}" {{
    # A form, not an upload; as large as limits.body.
    client_max_body_size {_size(self._settings.limits.body)};
"""
        yield from self._straight()
        yield from self._admission()
        yield "}\n"

    def _others(self, kinds: Sequence[RequestKind]) -> Iterator[str]:
        yield f"""\
# Requests of which the path alone doesn't tell whether they are purchases, payments, or something of the shop's own.
location ~* "{_paths(kinds, ODD_SPELLINGS)}" {{"""
        yield from self._admission()
        yield "}\n"

    def _straight(self) -> Iterator[str]:
        """The answer that most losers get: before anything else is asked, and without the way through its location."""
        if not self._shielded or any_sees_all(self._settings.routes):
            return
        fields, returned = answers.Answers(self._settings).to_programs(answers.SOLD_OUT)
        marker = f"{self._settings.shield.folder}/{answers.SOLD_OUT.name}$seckill_form/$seckill_item"
        yield "    # For programs. To a browser this is a folder that nobody has, and it gets its page further down."
        yield from fields
        yield f"    if (-f {marker}) {{ {returned} }}\n"

    def _admission(self) -> Iterator[str]:
        yield "    recursive_error_pages on;"
        if self._storefront:
            yield f"    error_page {_TO_STOREFRONT} = @seckill_storefront;"
            yield f"    if ({elsewhere(self._settings)}) {{ return {_TO_STOREFRONT}; }}"
        yield from self._ask_shield()
        if self._reads:
            yield f"    error_page {_TO_READ} = @seckill_read;"
            yield f"    if ($seckill_reads) {{ return {_TO_READ}; }}"
        yield from self._turn()

    def _turn(self) -> Iterator[str]:
        nginx = self._settings.nginx
        yield ""
        if nginx.pace:
            yield "    # Who has waited for a turn asks the shield again, in @seckill_gate."
            undelayed = f" delay={nginx.first - 1}" if nginx.first and nginx.first > 1 else ""  # beyond the first one
            yield f"    limit_req zone=seckill_pace burst={nginx.pace.burst}{undelayed};"
            yield from self._limits()
            yield "    try_files /.seckill/none @seckill_gate;"
        else:
            yield f"    error_page {_TO_GATE} = @seckill_gate;"
            yield f"    return {_TO_GATE};"

    def _ask_shield(self) -> Iterator[str]:
        if not self._shielded:
            return
        folder = self._settings.shield.folder
        yield ""
        yield "    # A marker that has gone must be gone for nginx at once, so nothing is remembered of it."
        yield "    open_file_cache off;"
        for i, saying in enumerate(answers.SHIELD):
            form = "" if saying is answers.NOT_OPEN else "$seckill_form"
            yield f"    error_page {_FIRST_ANSWER + i} = @seckill_{saying.name}{form};"
        for i, saying in enumerate(answers.SHIELD):
            yield f"    if (-f {folder}/{saying.name}/$seckill_item) {{ return {_FIRST_ANSWER + i}; }}"

    def _own(self) -> Iterator[str]:
        yield f"""\
# The sidecar's own addresses: orders to ask for, and to wait for.
location ^~ {self._settings.serve.prefix} {{
    recursive_error_pages on;
    error_page {_TO_RESULTS} = @seckill_results;
    error_page {_TO_GATE} = @seckill_gate;
    if ($seckill_waits) {{ return {_TO_RESULTS}; }}
    return {_TO_GATE};
}}
"""

    def _reading(self) -> Iterator[str]:
        yield f"""\
# seckill.js looks for the item in the body, which goes on as it came.
location @seckill_read {{
    client_body_buffer_size {BUFFER};
    client_body_timeout {self._patience or "10s"};
    js_content seckill_body.read;
}}

location @seckill_turn {{
    recursive_error_pages on;"""
        yield from self._ask_shield()
        yield from self._turn()
        yield "}\n"

    # -- the sidecar

    def _gate(self) -> Iterator[str]:
        settings = self._settings
        timeouts = settings.timeouts
        yield "location @seckill_gate {"
        if settings.nginx.pace:
            if self._shielded:
                yield "    recursive_error_pages on;"  # @seckill_not_open goes on to another
            yield from self._ask_shield()
        else:
            yield from self._limits()
        yield f"""\
    proxy_pass http://{gate_of(settings)};
    proxy_http_version 1.1;

    # A purchase is sent once. A second sidecar asked in silence would answer the same buyer differently.
    proxy_next_upstream off;

    # What a client says of itself is not believed: who it is, where it comes from, what was accepted."""
        yield from self._headers()
        yield f"""
    # nginx collects the body first, so that slow clients hold up nginx only.
    client_body_buffer_size {_size(settings.limits.body)};
    client_body_timeout {self._patience or "10s"};
    proxy_request_buffering on;

    # Longer than the sidecar's own deadlines (timeouts.request and timeouts.storefront), which answer what became of
    # the order. A 504 of nginx would leave the buyer in the dark.
    proxy_connect_timeout 2s;
    proxy_send_timeout 10s;
    proxy_read_timeout {math.ceil(timeouts.request + timeouts.storefront) + 7}s;

    proxy_redirect off;"""
        if self._shielded:
            yield f"    proxy_cookie_flags {COOKIE} $seckill_secure;"
        yield f"""
    # The sidecar is being restarted, or a worker was killed in the middle: what became of the purchase is not known
    # here. Answers of the sidecar itself, 503 among them, come through as they are (no proxy_intercept_errors).
    error_page 502 504 = {when_unanswered(settings)};
}}"""

    def _results(self) -> Iterator[str]:
        results, timeouts = self._settings.results, self._settings.timeouts
        silence = max(2 * results.heartbeat, results.wait + 2 * timeouts.request)
        yield """
# Who waits takes no place of a purchase (at_once), and no turn. The sidecar bounds how many may (results.waiters).
location @seckill_results {
    proxy_pass http://seckill_sidecar;
    proxy_http_version 1.1;
    proxy_next_upstream off;
    proxy_set_header Upgrade $seckill_upgrade;"""
        yield from self._headers("$seckill_connection")
        yield f"""
    # What is told goes out at once; between two heartbeats (results.heartbeat) nothing may be.
    proxy_buffering off;
    proxy_connect_timeout 2s;
    proxy_read_timeout {math.ceil(silence) + 7}s;
    proxy_redirect off;
    error_page 502 504 = {_away()};
}}"""

    def _limits(self) -> Iterator[str]:
        nginx = self._settings.nginx
        if nginx.address:
            yield f"    limit_req zone=seckill_address burst={nginx.address.burst} nodelay;"
        if nginx.connections:
            yield f"    limit_conn seckill_connections {nginx.connections};"
            yield "    limit_conn_status 429;"
        if self._crowds:
            yield "    limit_req_status 429;"
            yield f"    error_page 429 = @seckill_{answers.CROWDED.name}$seckill_form;"
            yield ""

    def _headers(self, connection: str = '""') -> Iterator[str]:
        identity = self._settings.identity
        fields = {"Connection": connection, "Host": "$host$seckill_port", identity.address_header: "$remote_addr"}
        fields |= {"X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme"}
        fields |= {"X-Forwarded-Host": '""', "Forwarded": '""'}
        fields |= dict.fromkeys(_buyer_headers(self._settings), self._settings.nginx.buyer or '""')
        fields |= {f"X-Seckill-{name}": '""' for name in SIGNED}
        return (f"    proxy_set_header {name} {value};" for name, value in fields.items())

    # -- the storefront

    def _to_storefront(self) -> Iterator[str]:
        yield """
# The shop itself, for what is none of the sidecar's business.
location @seckill_storefront {"""
        yield from self._asking_the_shop(dict.fromkeys(SIGNED, '""'))
        yield "}"

    def _handed_over(self) -> Iterator[str]:
        """Accepted purchases, and what becomes of them if the storefront fails."""
        yield """
# The shop, for a purchase that the sidecar has accepted: with its signature, whatever the client sent.
location @seckill_accepted {
    # Of the sidecar's answer; once the shop is asked, these would be its own."""
        for name in (*SIGNED, "Unserved", "Receipt"):
            yield f"    set $seckill_signed_{name.lower()} $upstream_http_x_seckill_{name.lower()};"
        yield ""
        yield from self._asking_the_shop({name: f"$seckill_signed_{name.lower()}" for name in SIGNED})
        yield f"    add_header {RECEIPT_HEADER} $seckill_signed_receipt always;"
        yield """
    # The order stands all the same. What its buyer is told, the sidecar says (fallbacks.on_storefront_down).
    proxy_intercept_errors on;
    error_page 500 501 502 503 504 505 = @seckill_unserved;
}

location @seckill_unserved {
    rewrite ^ $seckill_signed_unserved/$seckill_how? break;
    proxy_pass http://seckill_sidecar;
    proxy_http_version 1.1;
    proxy_next_upstream off;"""
        yield from self._headers()
        yield f"    error_page 502 504 = {_away()};"
        yield "}"

    def _asking_the_shop(self, signed: Mapping[str, str]) -> Iterator[str]:
        yield f"""\
    proxy_pass {self._storefront};
    proxy_http_version 1.1;
    proxy_next_upstream off;
    proxy_set_header Connection "";
    proxy_set_header Host $host$seckill_port;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;"""
        for name, value in signed.items():
            yield f"    proxy_set_header X-Seckill-{name} {value};"
        yield f"    proxy_read_timeout {math.ceil(self._settings.timeouts.storefront)}s;"
        yield "    proxy_redirect off;"


def _away() -> str:
    return f"@seckill_{answers.AWAY.name}$seckill_form"


def _paths(kinds: Sequence[RequestKind], *more: str) -> str:
    found = dict.fromkeys(pattern for kind in kinds for pattern in loosely(kind.path))
    paths = [f"{BEFORE}(?:{'|'.join(found)})"] if found else []
    return f"(?s)^(?:{'|'.join([*paths, *more])})"


def _size(size: int) -> str:
    return f"{size // 1024}k" if size % 1024 == 0 else str(size)


def _address(storefront: str | None) -> str:
    """The legacy site as a named location can reach it; empty if it can't."""
    if storefront is None:
        return ""
    if storefront.startswith("unix:"):
        return f"http://{storefront}:"
    return "" if urlsplit(storefront).path.strip("/") else storefront.rstrip("/")


def _buyer_headers(settings: Settings) -> list[str]:
    sources = [settings.identity.buyer, *(route.buyer for route in settings.routes)]
    return [source.header for source in sources if source and source.header and source.trust == "proxy"]
