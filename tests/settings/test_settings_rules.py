"""Every rule is seen at work in one of the files, so that none can go dead unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from settings_files import BAD, ENVIRON, GOOD

from seckill_sidecar.errors import ConfigurationError
from seckill_sidecar.settings import Settings, checking, inspect, loads
from seckill_sidecar.settings.findings import Finding
from seckill_sidecar.settings.rules import RULES, challenges
from seckill_sidecar.settings.rules.rule import Rule


def test_every_rule_finds_something_in_one_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: set[str] = set()
    monkeypatch.setattr(checking, "RULES", tuple(watched(rule, at_work) for rule in RULES))
    for file in [*GOOD, *BAD]:
        inspect(file, ENVIRON)
    assert {rule.check.__name__ for rule in RULES} - at_work == set()


@pytest.mark.parametrize(
    ("kind", "extra"),
    [("altcha", "altcha"), ("image", "captcha"), ("turnstile", "siteverify"), ("hcaptcha", "siteverify")],
)
def test_a_challenge_without_its_package_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, extra: str
) -> None:
    account = "{site_key: public, secret: '${SECKILL_KEY}'}"
    text = f"""
keys: [{{id: a, secret: '${{SECKILL_KEY}}'}}]
routes:
  - {{name: buy, path: /buy, item: kettle, on_accept: json, buyer: {{header: X-U, trust: proxy}}, challenge: {kind}}}
challenges: {{turnstile: {account}, hcaptcha: {account}}}
"""
    assert loads(text, "site.yaml", ENVIRON).routes[0].challenge == kind
    monkeypatch.setattr(challenges, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=rf"challenge: {kind} .*pip install 'seckill-sidecar\[{extra}\]'"):
        loads(text, "site.yaml", ENVIRON)


def watched(rule: Rule, at_work: set[str]) -> Rule:
    """The same rule, which notes its name when it finds something."""

    def check(settings: Settings) -> Iterator[Finding]:
        for finding in rule.check(settings):
            at_work.add(rule.check.__name__)
            yield finding

    return replace(rule, check=check)
