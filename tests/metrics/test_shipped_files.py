"""Alerts, dashboard and example are such as Prometheus and Grafana take, and the alerts do what they say."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped import ALERTS, CONFIG, DASHBOARD, PANELS, RULES, TESTS, VARIABLES, expressions, promtool

from seckill_sidecar.cli import parser
from seckill_sidecar.settings.schema import Operator

UNITS = {path.name for path in (CONFIG.parents[2] / "systemd").iterdir()}
FIRING = re.compile(r'ALERTS\{alertname="(\w+)",alertstate="firing",(.*)\}')


def test_promtool_takes_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_every_alert_fires_and_is_silent_as_its_stories_tell() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(TESTS))


def test_promtool_takes_the_example_with_a_token_in_place(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sixteen characters")
    (tmp_path / RULES.name).write_text(RULES.read_text())
    there = tmp_path / CONFIG.name
    there.write_text(CONFIG.read_text().replace("/etc/prometheus/seckill-token", str(tmp_path / "token")))
    assert "is valid" in promtool("check", "config", str(there))


def test_the_example_scrapes_where_the_operators_address_is_by_default() -> None:
    [job] = yaml.safe_load(CONFIG.read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [Operator().listen]}]


# -- alerts ------------------------------------------------------------------------------------------------


def fired() -> dict[str, set[str]]:
    """The alerts that fire in some story, with the labels that they then have."""
    found: dict[str, set[str]] = {}
    for story in yaml.safe_load(TESTS.read_text())["tests"]:
        for asked in story["promql_expr_test"]:
            for sample in asked["exp_samples"]:
                if said := FIRING.fullmatch(sample["labels"]):
                    found[said[1]] = set(re.findall(r"(\w+)=", said[2]))
    return found


def test_every_alert_fires_in_some_story() -> None:
    assert fired().keys() == {alert["alert"] for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    said = alert["annotations"]
    assert said.keys() == {"summary", "description"}
    assert len(rendered(said["summary"])) < 100 < len(rendered(said["description"]))
    assert commands(alert)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_names_no_label_that_it_does_not_have(alert: dict[str, Any]) -> None:
    named = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))
    assert named <= fired()[alert["alert"]]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_the_commands_of_an_alert_are_such_that_can_be_run(alert: dict[str, Any]) -> None:
    for command in commands(alert):
        program, *words = shlex.split(command)
        if program == "seckill-sidecar":
            assert parser().parse_args(words).command
        for unit in (word for word in words if word.startswith("seckill-") and program in ("systemctl", "journalctl")):
            assert unit == "seckill-*" or f"{re.sub('@.*', '@', unit)}.service" in UNITS


def rendered(text: str) -> str:
    """A text with something in for its templates."""
    return re.sub(r"\{\{.*?\}\}", "sneaker", text)


def commands(alert: dict[str, Any]) -> list[str]:
    """What stands between backticks, with something in for what it names; settings and words of the text aside."""
    text = rendered(alert["annotations"]["description"])
    quoted = [re.sub(r"\bID\b", "7", one) for one in re.findall(r"`([^`]+)`", text)]
    return [one for one in quoted if " " in one and not one.startswith("--")]


def test_each_threshold_has_its_reason() -> None:
    """A comment stands right above each alert."""
    lines = RULES.read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.lstrip().startswith("- alert:")]
    assert [lines[place] for place in places if not lines[place - 1].lstrip().startswith("# ")] == []


# -- the dashboard ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_a_title_a_word_of_explanation_and_something_to_ask(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert all(target["expr"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


def test_promtool_takes_all_that_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [{"alert": asker, "expr": expression} for asker, expression in expressions().items()]
    (tmp_path / "all.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "all.yml"))


def test_panels_ask_the_data_source_that_the_reader_chooses() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [panel["datasource"] for panel in PANELS]
    asked += [target["datasource"] for panel in PANELS for target in panel["targets"]]
    asked += [variable["datasource"] for variable in VARIABLES if variable["type"] == "query"]
    assert all(one == chosen for one in asked)
    assert VARIABLES[0] | {"name": "datasource", "type": "datasource", "query": "prometheus"} == VARIABLES[0]


def test_all_variables_that_panels_use_are_there() -> None:
    used = set(re.findall(r"\$\{?(\w+)", str(DASHBOARD["panels"]))) - {"__rate_interval"}
    assert used == {variable["name"] for variable in VARIABLES}


def test_panels_lie_beside_each_other_and_not_on_top() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []
    assert Counter(panel["id"] for panel in DASHBOARD["panels"]).most_common(1)[0][1] == 1


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    down = one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
    return across and down


def test_it_can_be_imported_wherever_it_was_made() -> None:
    assert DASHBOARD["id"] is None
    assert "__inputs" not in DASHBOARD
    assert {one["id"] for one in DASHBOARD["__requires"] if one["type"] == "panel"} == {one["type"] for one in PANELS}
