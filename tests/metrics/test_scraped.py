"""What a running site tells is what rules and dashboard ask for, and a real Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
import yaml
from metrics_site import TOKEN
from prometheus_client.parser import text_string_to_metric_families
from promql import CHOSEN, figures, uses
from shipped import CONFIG, RECORDED, RULES, RULES_OF_ALL, expressions, promtool, queried
from stack import Prometheus, RabbitMQ, Redis, StackError, eventually
from whole_site import NOBODYS, Trouble, WholeSidecar, Writer

from seckill_sidecar.clock import Deadline, SystemClock
from seckill_sidecar.model import Item, Verdict
from seckill_sidecar.ports import ParkedState

PROMETHEUS_OWN = {"up": {"job", "instance"}, "ALERTS": set[str]()}
GIVEN = {"job", "instance"}
"""Labels that Prometheus gives to all that it reads."""

WORDS = {
    "verdict": {verdict.value for verdict in Verdict},
    "state": {state.value for state in ParkedState},
    "store": {"ledger", "broker", "database", "storefront"},
    "status": {"open", "closed", "paused", "damaged"},
    "kind": {"total", "free", "held", "paid"},
    "job": {"seckill"},
    "item": {"other"},
}
"""What labels may be asked for by name."""


@pytest.fixture(scope="module")
def site(redis_server: Redis, rabbit_server: RabbitMQ) -> Iterator[WholeSidecar]:
    """A site that has sold, and tells every figure that there is."""
    for server in (redis_server, rabbit_server):
        server.heal()
    redis_server.flush()
    with ExitStack() as running:
        sidecar = WholeSidecar(redis_server.url, rabbit_server.url)
        for part in (sidecar.site.ledger, sidecar.site.orders):
            running.enter_context(closing(part))
        for sku, total in (("sneaker", 40), ("boots", 1)):
            sidecar.site.ledger.load(Item(sku, total), Deadline.after(5, SystemClock()))
        running.enter_context(sidecar)
        running.enter_context(Writer(sidecar))
        running.callback(Trouble(sidecar.metrics).end)
        assert [sidecar.buy(sku, "ann") for sku in ("sneaker", "boots", "boots", "none")] == [201, 201, 409, 404]
        assert sidecar.pay(NOBODYS) == 404
        sidecar.run("audit", "--patience", "30s")
        yield sidecar


def told(site: WholeSidecar) -> dict[str, set[str]]:
    """The figures that a site tells of now, each with its labels."""
    status, text = site.get("/metrics", TOKEN)
    assert status == 200, text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture
def known(site: WholeSidecar) -> dict[str, set[str]]:
    """Labels by figure: of what is told, of what the rules record, of what is Prometheus's own."""
    recorded = {rule["record"]: set(rule["record"].partition(":")[0].split("_")) for rule in RECORDED}
    asked = set().union(*map(figures, expressions().values())) - recorded.keys() - PROMETHEUS_OWN.keys()
    figures_told = eventually(lambda: (now := told(site)) and asked <= now.keys() and now, within=60, what=str(asked))
    assert figures_told
    return {name: labels | GIVEN for name, labels in figures_told.items()} | recorded | PROMETHEUS_OWN


def test_promtool_takes_what_a_site_tells(site: WholeSidecar) -> None:
    _, text = site.get("/metrics", TOKEN)
    assert promtool("check", "metrics", stdin=text) == ""


def test_all_labels_that_are_asked_for_are_there(known: dict[str, set[str]]) -> None:
    asked = {use for expression in expressions().values() for use in uses(expression)}
    assert asked
    assert [use for use in asked if use.label not in known[use.figure]] == []


def test_all_words_that_labels_are_asked_for_are_known() -> None:
    asked = {use for expression in expressions().values() for use in uses(expression) if use.values}
    assert [use for use in asked if not set(use.values) <= WORDS[use.label]] == []


def test_the_variables_take_labels_that_are_there(known: dict[str, set[str]]) -> None:
    assert all(label in known[name] for selector, label in queried().values() for name in figures(selector))


# -- a real Prometheus ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prometheus(site: WholeSidecar) -> Iterator[Prometheus]:
    """A Prometheus with the example's configuration that has scraped the site: hastily, and where it is here."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    [job] = config["scrape_configs"]
    job["scrape_timeout"] = "2s"
    job["authorization"]["credentials_file"] = "token"
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{site.operator_port}"]
    server = Prometheus(yaml.safe_dump(config))
    (server.folder / "token").write_text(TOKEN)
    (server.folder / RULES.name).write_text(RULES.read_text())
    with server:
        eventually(lambda: server.query("up == 1"), within=60, what="it reads the site's figures")
        yield server


def test_prometheus_reads_a_site_with_the_shipped_configuration(prometheus: Prometheus) -> None:
    [target] = prometheus.ask("targets")["activeTargets"]
    assert target["labels"]["job"] == CHOSEN["$job"]
    [accepted] = prometheus.query('sum(seckill_decisions_total{verdict="accepted"})')
    assert accepted["value"][1] == "2"


def test_prometheus_answers_all_that_the_dashboard_asks(prometheus: Prometheus) -> None:
    for asker, expression in expressions().items():
        found = prometheus.query(expression)
        assert isinstance(found, list), asker
    for selector, label in queried().values():
        assert prometheus.ask(f"label/{label}/values", **{"match[]": selector}), selector


def test_a_query_that_is_wrong_is_not_answered(prometheus: Prometheus) -> None:
    with pytest.raises(StackError, match="parse error"):
        prometheus.query("sum(")


def test_prometheus_works_out_every_rule(prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, str]]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    found = eventually(lambda: all(rule["health"] != "unknown" for rule in rules()) and rules(), within=60)
    assert found
    assert {rule["health"] for rule in found} == {"ok"}
    assert len(found) == len(RULES_OF_ALL)


def test_prometheus_raises_the_alarm_for_what_went_wrong(prometheus: Prometheus) -> None:
    """The first violation is a counter that was never there before."""
    eventually(lambda: prometheus.query('ALERTS{alertname="SeckillSoldTwice",alertstate="firing"}'), within=60)
    assert prometheus.query('ALERTS{alertname="SeckillDown"}') == []
