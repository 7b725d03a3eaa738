"""The environment makes the plan, and the plan makes the crowd."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from demo.plan import Plan, crowd, read_plan
from demo.trouble import DemoFailed


def test_without_variables_the_plan_is_the_documented_one() -> None:
    plan = read_plan({})
    assert (plan.requests, plan.buyers, plan.stock, plan.stack, plan.keep) == (5000, 1000, 100, "embedded", False)


def test_empty_variables_count_as_absent() -> None:
    assert read_plan({"REQUESTS": "", "STACK": "", "KEEP": "", "KILL": ""}) == Plan()


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "٣", "1_000", "many", " 5"])
def test_a_number_that_is_none_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(DemoFailed, match="REQUESTS="):
        read_plan({"REQUESTS": text})


@pytest.mark.parametrize("variables", [{"STACK": "cloud"}, {"KILL": "nginx"}, {"KEEP": "yes"}])
def test_an_unknown_word_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(DemoFailed, match="can't be used"):
        read_plan(variables)


def test_killing_a_server_asks_for_the_real_stack() -> None:
    with pytest.raises(DemoFailed) as failure:
        read_plan({"KILL": "broker"})
    assert failure.value.remedy == "add STACK=real"


def test_the_same_seed_makes_the_same_crowd() -> None:
    assert crowd(Plan(seed=7)) == crowd(Plan(seed=7))
    assert crowd(Plan(seed=7)) != crowd(Plan(seed=8))


def test_every_buyer_comes_equally_often() -> None:
    visits = Counter(attempt.buyer for attempt in crowd(Plan(requests=5000, buyers=1000)))
    assert set(visits.values()) == {5}


def test_some_attempts_repeat_an_earlier_key_of_the_same_buyer_and_of_no_other() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    attempts = crowd(Plan())
    for attempt in attempts:
        if attempt.key:
            owners[attempt.key].add(attempt.buyer)
    assert all(len(buyers) == 1 for buyers in owners.values())
    assert len(owners) < sum(attempt.key is not None for attempt in attempts) < len(attempts)
