"""Who buys what and when, and when the fault comes: all of it follows from the seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from faults.history import Attempt


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Moments are seconds from its start."""

    name: str
    """The fault's; with the seed it decides everything."""
    seed: int
    sku: str
    total: int
    per_buyer: int
    hold: float
    fault_at: float
    rate: float = 80.0
    """Attempts a second: bounded, so that what is slow is the fault and not the machine."""
    buyers: int = 300
    threads: int = 12
    patience: float = 0.0
    """Seconds for which a buyer waits after hearing that the shop can't sell at this moment."""
    after: float = 0.8
    """Seconds for which buying goes on after the healing."""


def plan_run(name: str, seed: int, sku: str, hold: float) -> tuple[Plan, random.Random]:
    """The plan of a run, and the chance that its fault is to use for choices of its own."""
    chance = random.Random(f"{name} {seed}")
    # All sell for longer than until the fault comes; some are sold out before it heals, some never.
    total = chance.choice([300, 600, 1500])
    plan = Plan(name, seed, sku, total, per_buyer=3, hold=hold, fault_at=chance.uniform(0.4, 1.4))
    return plan, random.Random(chance.random())


def attempts(plan: Plan) -> Iterator[Attempt]:
    """Purchases without end. One in five sends an earlier key of its buyer again, as a double click does."""
    chance = random.Random(f"crowd {plan.name} {plan.seed}")
    sent: dict[str, list[Attempt]] = {}
    no = 0
    while True:
        no += 1
        buyer = f"buyer-{chance.randrange(plan.buyers)}"
        earlier = sent.setdefault(buyer, [])
        if earlier and chance.random() < 0.2:
            again = chance.choice(earlier)
            yield Attempt(no, buyer, again.key, again.quantity)
            continue
        key = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        earlier.append(Attempt(no, buyer, key, 1 if chance.random() < 0.8 else 2))
        yield earlier[-1]
