"""The files for Prometheus and Grafana as they are shipped: what they ask for, and promtool's opinion of them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from promql import filled
from stack.base import program

CONTRIB = Path(__file__).parents[2] / "contrib"
RULES = CONTRIB / "prometheus/seckill.rules.yml"
TESTS = CONTRIB / "prometheus/seckill.test.yml"
CONFIG = CONTRIB / "prometheus/prometheus.yml"
DASHBOARD: dict[str, Any] = json.loads((CONTRIB / "grafana/seckill.json").read_text())

RULES_OF_ALL: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES_OF_ALL if "alert" in rule]
RECORDED = [rule for rule in RULES_OF_ALL if "record" in rule]
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]


def promtool(*words: str, stdin: str = "") -> str:
    """What promtool says; it has to be content."""
    command = [program("promtool"), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions() -> dict[str, str]:
    """All that rules and dashboard ask, by who asks."""
    asked = {rule.get("alert") or rule["record"]: rule["expr"] for rule in RULES_OF_ALL}
    for panel in PANELS:
        asked.update({f"{panel['title']} {one['refId']}": filled(one["expr"]) for one in panel["targets"]})
    return asked | {f"variable {name}": selector for name, (selector, _) in queried().items()}


def queried() -> dict[str, tuple[str, str]]:
    """The dashboard's variables that ask Prometheus: a selector, and the label whose values they take."""
    found = {}
    for variable in VARIABLES:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(variable["query"]["query"]))
            assert asked, variable
            found[variable["name"]] = (asked[1], asked[2])
    return found
