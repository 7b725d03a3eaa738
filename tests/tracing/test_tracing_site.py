"""One purchase is one trace, from nginx's traceparent to the COMMIT, through all processes and real servers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from demo.line import Line, Reply
from demo.programs import Program, Relay, Sidecar, Writer, run_command
from demo.site import Home
from stack import Nginx, eventually, free_port
from stack.scripted import Scripted, answering, reply
from tracing_words import CALLER, Collector, Span, collecting

SKU = "kettle"
TOKEN = "the operator's own sixteen characters"
OF_THE_GATE = {"purchase", "route", "identify", "reserve", "hand_off"}


class Failing(Sidecar):
    """Its second order is not handed off: the relay has to deliver it."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {"SECKILL_FAULT": "before_publish:raise@2"}


class Site:
    """All processes of a site that tells a collector, behind nginx."""

    def __init__(self, home: Home, nginx: Nginx, shop: Scripted, collector: Collector, programs: list[Program]) -> None:
        self.home, self.nginx, self.shop, self.collector, self.programs = home, nginx, shop, collector, programs

    def buy(self, buyer: str, **headers: str) -> Reply:
        fields = {"Cookie": self.home.secret.cookie(buyer), **headers}
        with closing(Line(self.nginx.address)) as line:
            return line.ask("POST", f"/buy/{SKU}", fields, b"")

    def trace(self, trace: str, names: set[str]) -> dict[str, Span]:
        """The spans of a trace, once it has these."""
        return eventually(lambda: self._with(trace, names), within=60, what=f"the spans {names}")

    def _with(self, trace: str, names: set[str]) -> dict[str, Span] | None:
        found = self.collector.spans(trace)
        return found if names <= found.keys() else None

    def figures(self) -> str:
        """What Prometheus reads."""
        port = yaml.safe_load(self.home.config.read_text())["operator"]["listen"].rpartition(":")[2]
        with closing(Line(("127.0.0.1", int(port)))) as line:
            return line.ask("GET", "/metrics", {"Authorization": f"Bearer {TOKEN}"}).body.decode()

    def asked_of_the_shop(self) -> list[dict[str, str]]:
        return [request.headers for request in self.shop.requests if request.method == "POST"]


def settings(stores: dict[str, str], sidecar: Sidecar, tracing: dict[str, Any], secret: str) -> dict[str, Any]:
    names = {part: f"tracing.{secret}.{part}" for part in ("exchange", "queue", "parked")}
    return {
        "stores": stores,
        "serve": {"listen": sidecar.url.removeprefix("http://"), "workers": 1},
        "keys": [{"id": "demo", "secret": "${SECKILL_SECRET}"}],
        "identity": {"buyer": {"cookie": "seckill_buyer", "trust": "signed"}},
        "routes": [{"name": "buy", "path": "/buy/{sku}", "item": {"path": "sku"}}],
        "items": [{"sku": SKU, "total": 3, "per_buyer": 9}],
        "timeouts": {"request": "10s", "ledger": "5s", "broker": "5s"},
        "broker": names,
        "operator": {"listen": f"127.0.0.1:{free_port()}", "token": TOKEN},
        "metrics": {"folder": str(sidecar.home.folder / "metrics")},
        "tracing": tracing,
    }


@pytest.fixture
def site(request: Any, tmp_path: Path, redis_url: str, rabbit_url: str, mariadb_url: str) -> Iterator[Site]:
    home = Home(tmp_path)
    with ExitStack() as running:
        collector = running.enter_context(collecting())
        shop = running.enter_context(answering(lambda _: reply(200, b"the shop's own words")))
        storefront = "http://{}:{}".format(*shop.address)
        sidecar = Failing(home)
        stores = {"redis": redis_url, "broker": rabbit_url, "database": mariadb_url, "storefront": storefront}
        tracing = {"otlp": collector.url, "sample": "none"} if request.param else {}
        home.config.write_text(yaml.safe_dump(settings(stores, sidecar, tracing, secrets.token_hex(4))))
        for words in (("migrate",), ("item", "load")):
            run_command(home, *words)
        programs: list[Program] = [Relay(home), Writer(home), sidecar]
        for program in programs:
            running.enter_context(program)
        run_command(home, "nginx", "--output", str(tmp_path))
        server, http = (f'include "{tmp_path}/{name}.conf";' for name in ("seckill", "seckill-upstream"))
        nginx = running.enter_context(Nginx(server=server, http=http))
        yield Site(home, nginx, shop, collector, programs)


@pytest.mark.parametrize("site", [True], indirect=True)
def test_a_purchase_is_one_trace_from_nginx_to_the_commit(site: Site) -> None:
    trace, later, refused = (secrets.token_hex(16) for _ in range(3))
    assert site.buy("ann", traceparent=f"00-{trace}-{CALLER}-01", tracestate="vendor=1").body == b"the shop's own words"
    spans = site.trace(trace, {*OF_THE_GATE, "storefront", "write"})
    purchase = spans["purchase"]
    assert spans.keys() == {*OF_THE_GATE, "storefront", "write"}
    assert purchase.parent == CALLER
    assert {span.parent for name, span in spans.items() if name != "purchase"} == {purchase.id}
    assert {span.service for span in spans.values()} == {"seckill-sidecar"}
    assert purchase.attributes["seckill.verdict"] == "accepted"
    assert purchase.attributes["seckill.order"].startswith(f"{SKU}~")
    assert not any("ann" in value for span in spans.values() for value in span.attributes.values())
    # Each stage lies within the purchase, one after the other; what follows comes after.
    stages = [spans[name] for name in ("route", "identify", "reserve", "hand_off")]
    ends = [edge for span in stages for edge in (span.start_ns, span.end_ns)]
    assert ends == sorted(ends)
    assert purchase.start_ns <= ends[0] <= ends[-1] <= purchase.end_ns <= spans["write"].end_ns

    # The shop is asked within the trace, by the span that stands for asking it.
    (headers,) = site.asked_of_the_shop()
    assert headers["traceparent"] == f"00-{trace}-{spans['storefront'].id}-01"
    assert headers["tracestate"] == "vendor=1"

    # The second order is left to the relay, and is the same trace all the same.
    site.buy("bob", traceparent=f"00-{later}-{CALLER}-01")
    spans = site.trace(later, {*OF_THE_GATE, "relay", "write"})
    assert {spans[name].parent for name in ("relay", "write")} == {spans["purchase"].id}
    assert spans["purchase"].failed
    assert spans["relay"].end_ns <= spans["write"].end_ns

    # One that the caller does not record is told of by nobody, and its traceparent goes on as it came.
    assert site.buy("carol", traceparent=f"00-{refused}-{CALLER}-00").status == 200
    assert site.asked_of_the_shop()[-1]["traceparent"] == f"00-{refused}-{CALLER}-00"
    # All three orders were handed off, by the gate or the relay, and written: each process says how long that took.
    counts = ("seckill_hand_off_lag_seconds_count 3.0", "seckill_write_lag_seconds_count 3.0")
    eventually(lambda: all(count in site.figures() for count in counts), within=30, what="the lags of three orders")
    assert 'seckill_loop_time_seconds{loop="writer"}' in site.figures()
    # Stopped, they send what they have: dave comes last, and too late for a unit.
    last = secrets.token_hex(16)
    assert site.buy("dave", traceparent=f"00-{last}-{CALLER}-01").status == 409
    for program in site.programs:
        program.stop()
    assert site.collector.spans(last).keys() == {"purchase", "route", "identify", "reserve"}
    assert site.collector.spans(refused) == {}


@pytest.mark.parametrize("site", [False], indirect=True)
def test_without_a_collector_headers_pass_as_they_are(site: Site) -> None:
    trace = secrets.token_hex(16)
    assert site.buy("ann", traceparent=f"00-{trace}-{CALLER}-01", tracestate="vendor=1").status == 200
    (headers,) = site.asked_of_the_shop()
    assert (headers["traceparent"], headers["tracestate"]) == (f"00-{trace}-{CALLER}-01", "vendor=1")
    for program in site.programs:
        program.stop()
    assert site.collector.all() == []
