"""What is to be played: the numbers from the environment, and the crowd that they make."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from demo.trouble import DemoFailed

SKU = "flash-phone"
"""The item that the crowd wants; the shop's other product is there for clicking."""

PILES = ("broker", "database", "ledger")


@dataclass(frozen=True, slots=True)
class Plan:
    """One sale. Every field is an environment variable of the same name in capitals."""

    requests: int = 5000
    buyers: int = 1000
    stock: int = 100
    connections: int = 32
    """Requests under way at the same moment."""
    seed: int = 1111
    """Who sends what in which order follows from it."""
    stack: str = "embedded"
    """``embedded`` (bundled stores, nothing to install) or ``real`` (nginx, Redis, RabbitMQ, MariaDB)."""
    keep: bool = False
    """Leave everything running for a browser until Ctrl-C."""
    kill: str = ""
    """Freeze this server in mid-sale: ``broker``, ``database`` or ``ledger`` of the real stack."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that a buyer sends."""

    no: int
    buyer: str
    key: str | None
    """The Idempotency-Key; the same as an earlier attempt's if the buyer sends that one again."""
    quantity: int = 1


def read_plan(environ: Mapping[str, str]) -> Plan:
    """The plan that the environment asks for; raises ``DemoFailed`` that says which variable can't be used."""
    usual = Plan()
    plan = Plan(
        requests=_number(environ, "REQUESTS", usual.requests, 1, 10_000_000),
        buyers=_number(environ, "BUYERS", usual.buyers, 1, 10_000_000),
        stock=_number(environ, "STOCK", usual.stock, 0, 1_000_000),
        connections=_number(environ, "CONNECTIONS", usual.connections, 1, 1000),
        seed=_number(environ, "SEED", usual.seed, 0, 1 << 62),
        stack=_word(environ, "STACK", ("embedded", "real")),
        keep=_word(environ, "KEEP", ("0", "1")) == "1",
        kill=_word(environ, "KILL", ("", *PILES)),
    )
    if plan.kill and plan.stack != "real":
        raise DemoFailed(f"KILL={plan.kill} needs the real servers", "add STACK=real")
    return plan


def crowd(plan: Plan) -> list[Attempt]:
    """The sale's attempts in the order in which they are sent; the same for the same plan.

    Every buyer comes about equally often. One request in five repeats an earlier one of its buyer with
    the same key, as a double click does; one in ten carries no key at all, as a plain form does.
    """
    return _Crowd(plan).attempts()


@dataclass
class _Crowd:
    plan: Plan
    chance: random.Random = field(init=False)
    keys: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.plan.seed)

    def attempts(self) -> list[Attempt]:
        buyers = [f"buyer-{no % self.plan.buyers}" for no in range(self.plan.requests)]
        self.chance.shuffle(buyers)
        return [Attempt(no, buyer, self._key(buyer)) for no, buyer in enumerate(buyers)]

    def _key(self, buyer: str) -> str | None:
        known = self.keys.setdefault(buyer, [])
        dice = self.chance.random()
        if dice < 0.1:
            return None
        if dice >= 0.3 or not known:
            known.append(str(uuid.UUID(int=self.chance.getrandbits(128), version=4)))
            return known[-1]
        return self.chance.choice(known)


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name, "") or str(default)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise DemoFailed(f"{name}={text} can't be used", f"give a whole number from {least} to {most}")
    return int(text)


def _word(environ: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    text = environ.get(name, "") or words[0]
    if text not in words:
        raise DemoFailed(f"{name}={text} can't be used", f"give one of: {' '.join(word for word in words if word)}")
    return text
