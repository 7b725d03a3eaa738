"""Which purchases are told of, what is told, and what it may cost: nothing that a buyer would notice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import pytest
from stack import eventually
from stack.scripted import answering, reply
from tracing_words import CALLER, collecting

from seckill_sidecar.clock import ManualClock, SystemClock
from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.gate.pipeline import Decided
from seckill_sidecar.gate.sample import MOST_A_SECOND, Sampler
from seckill_sidecar.model import Verdict
from seckill_sidecar.observers.tracing import begin_tracing
from seckill_sidecar.settings import load, loads
from seckill_sidecar.settings.rules import tracing as rule
from seckill_sidecar.settings.schema import TracingSettings
from seckill_sidecar.wire.trace import NO_TRACE, Trace, follow, is_sampled, span_id, trace_id, valid

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"


def sampler(share: float, clock: ManualClock | None = None) -> Sampler:
    return Sampler(share, clock or ManualClock(), random.Random(1))


def came(traceparent: str) -> dict[str, str]:
    return {"HTTP_TRACEPARENT": traceparent}


# -- sampling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "00", SAMPLED.upper(), f"{SAMPLED} ", f"{SAMPLED},{SAMPLED}", f"{SAMPLED}-more", f"ff{SAMPLED[2:]}",
        f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01", SAMPLED.replace("a", "٣"), f"{SAMPLED}\n",
    ],
)  # fmt: skip
def test_what_is_no_traceparent_counts_as_none(text: str) -> None:
    assert valid(text) == ""
    assert follow(came(text)) is NO_TRACE
    assert sampler(0.0)(came(text)) is NO_TRACE


def test_the_caller_decides_whether_a_purchase_is_told_of() -> None:
    never, always = sampler(0.0), sampler(1.0)
    assert always(came(UNSAMPLED)) == Trace(UNSAMPLED)
    told = never(came(SAMPLED))
    assert told.came == SAMPLED
    ids = {span_id(SAMPLED), span_id(told.own), span_id(told.storefront)}
    assert len(ids) == 3
    assert trace_id(told.own) == trace_id(told.storefront) == told.id == TRACE
    assert told.goes_on == told.own
    assert is_sampled(valid(told.own))


def test_a_forked_process_makes_ids_of_its_own() -> None:
    sample = Sampler(1.0, ManualClock())
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, sample({}).own.encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert is_sampled(valid(theirs))
    assert trace_id(theirs) != sample({}).id


def test_of_the_others_a_share_begins_a_trace_of_its_own() -> None:
    clock = ManualClock()
    sample, found = sampler(0.1, clock), []
    for _ in range(2000):
        clock.advance(0.1)
        found.append(sample({}))
    told = [trace for trace in found if trace.own]
    assert 150 < len(told) < 250
    assert len({trace.id for trace in told}) == len(told)
    assert all(valid(trace.own) and not trace.came for trace in told)
    assert all(trace is NO_TRACE for trace in found if not trace.own)


def test_whoever_asks_to_be_recorded_again_and_again_is_told_of_so_often() -> None:
    clock = ManualClock()
    sample = sampler(0.0, clock)
    found = [sample(came(SAMPLED)) for _ in range(5 * MOST_A_SECOND)]
    assert sum(bool(trace.own) for trace in found) == MOST_A_SECOND
    assert found[-1] == Trace(SAMPLED)
    clock.advance(1.0)
    assert sample(came(SAMPLED)).own


# -- off, or wrong -------------------------------------------------------------------------------------

SITE = """
stores: {redis: "redis://127.0.0.1:9/0", database: "sqlite:///FOLDER/orders.db", storefront: "http://127.0.0.1:9"}
identity: {buyer: {header: X-User, trust: proxy}}
routes: [{name: buy, path: "/buy/{sku}", item: {path: sku}}]
keys: [{id: a, secret: "${KEY}"}]
"""
OFF = """
import os, sys
from seckill_sidecar import cli, wiring
from seckill_sidecar.settings import load
for role in ("sidecar", "relay", "writer", "middleware", ""):
    site = wiring.Site(load(sys.argv[1], os.environ), role=role)
    site.middleware(site.storefront()), site.writer(), site.end_tracing()
wanted_by_spans = ("opentelemetry.exporter", "opentelemetry.proto", "opentelemetry.sdk.trace", "requests", "google")
print(sorted(name for name in sys.modules if name.startswith(wanted_by_spans)))
"""


def test_off_it_imports_nothing_of_opentelemetry(tmp_path: Path) -> None:
    # redis-py imports the part about metrics by itself, wherever it finds it.
    (tmp_path / "site.yaml").write_text(SITE.replace("FOLDER", str(tmp_path)))
    command = [sys.executable, "-c", OFF, str(tmp_path / "site.yaml")]
    done = subprocess.run(command, env={"KEY": "k" * 16}, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_the_check_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SITE + "tracing: {otlp: http://127.0.0.1:4318}\n"
    assert loads(text, "site.yaml", {"KEY": "k" * 16}).tracing.otlp == "http://127.0.0.1:4318"
    monkeypatch.setattr(rule, "find_spec", lambda name: None)
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"site\.yaml:6:17: tracing\.otlp: .*pip install 'seckill-sidecar\[tracing\]'"
    ):
        load(tmp_path / "site.yaml", {"KEY": "k" * 16})


# -- what is told --------------------------------------------------------------------------------------


def fact(trace: Trace, verdict: Verdict = Verdict.SOLD_OUT, **more: str) -> Decided:
    now = SystemClock().monotonic()
    moments = [now - 6e-3, now - 5e-3, now - 4e-3, now - 3e-3, now - 3e-3, now - 3e-3, now - 1e-3, now]
    return Decided("buy", verdict, 6e-3, "kettle", buyer="Zoë", moments=moments, trace=trace, **more)


def test_a_refused_purchase_tells_the_stages_that_it_came_to() -> None:
    with collecting() as collector:
        tracing = begin_tracing(TracingSettings(otlp=f"{collector.url}/", service="shop-1"), SystemClock())
        told = sampler(1.0)({})
        tracing.decided(fact(told))
        tracing.decided(fact(Trace(UNSAMPLED)))
        tracing.decided(fact(NO_TRACE))
        tracing.close()
        spans = collector.spans(told.id)
        assert len(collector.all()) == len(spans)
    assert spans.keys() == {"purchase", "route", "identify", "reserve"}
    assert spans["purchase"].parent == ""
    assert spans["purchase"].service == "shop-1"
    assert spans["purchase"].attributes == {
        "seckill.verdict": "sold_out", "seckill.route": "buy", "seckill.item": "kettle",
    }  # fmt: skip
    assert spans["reserve"].end_ns - spans["reserve"].start_ns == pytest.approx(2e6, abs=2e4)


# -- what it may cost ----------------------------------------------------------------------------------


@contextmanager
def silent() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with create_server(("127.0.0.1", 0)) as door:
        yield "http://{}:{}".format(*door.getsockname())


def tell_many(url: str) -> threading.Thread:
    """Ten queues full of spans, and the end; in a thread that a test can wait for."""

    def tell() -> None:
        tracing = begin_tracing(TracingSettings(otlp=url), SystemClock())
        trace = sampler(1.0)({})
        for _ in range(5000):
            tracing.decided(fact(trace))
        tracing.close()

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("dead", ["refusing", "silent", "failing"])
def test_a_dead_collector_holds_nobody_up_and_is_told_of_once(dead: str, caplog: pytest.LogCaptureFixture) -> None:
    with silent() as never, answering(lambda _: reply(503, b"")) as failing:
        urls = {"refusing": "http://127.0.0.1:9", "silent": never, "failing": "http://{}:{}".format(*failing.address)}
        thread = tell_many(urls[dead])
        eventually(lambda: not thread.is_alive(), within=25, what="it has ended")  # shutdown's own patience is 30 s
    ours = [record for record in caplog.records if record.name == "seckill_sidecar.tracing"]
    assert [record.getMessage() for record in ours] == [
        f"the collector at {urls[dead]} takes no spans; they are dropped until it does"
    ]
