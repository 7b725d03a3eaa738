"""What the stores tell of themselves when they are examined before a sale: facts, which ``ops/doctor`` judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seckill_sidecar.ports.broker import QueueState


@dataclass(frozen=True, slots=True)
class LedgerVitals:
    """One Redis or Valkey."""

    info: Mapping[str, str]
    """What INFO says, by its names."""
    appendfsync: str
    """As the server has it; empty if this user may not ask."""
    forbidden: tuple[str, ...]
    """Commands that the scripts run and this user may not."""
    no_script: str
    """Why no script can be run; empty if they can."""
    no_write: str
    """Why a key of ours can't be written; empty if it can."""
    nodes: int
    """How many masters share the slots of a Cluster; 0 if it is none, or one that does not work."""
    seconds: float
    """The quickest of several answers."""
    ahead: float
    """By how many seconds its clock is ahead of ours."""


@dataclass(frozen=True, slots=True)
class BrokerVitals:
    """One RabbitMQ. All of it but the connection may be refused, in the broker's own words."""

    server: str
    version: tuple[int, ...]
    undeclared: tuple[str, ...]
    """Exchanges and queues of ours that do not exist (yet)."""
    unlike: tuple[str, ...]
    """What exists, but not as the program declares it."""
    unconfirmed: str
    """Why a message of ours was not confirmed as routed and stored; empty if it was."""
    orders: QueueState
    parked: QueueState


@dataclass(frozen=True, slots=True)
class DatabaseVitals:
    """One MySQL, MariaDB or SQLite."""

    server: str
    variables: Mapping[str, str]
    """What decides over durability, of the server itself; empty for SQLite."""
    schema: str
    """What is wrong with the applied schema; empty if it is the one of this program."""
    missing: tuple[str, ...] = ()
    """CHECK constraints and unique keys that the schema has and the database has not."""
    untransactional: tuple[str, ...] = ()
    """Tables of ours that know no transactions."""
    no_write: str = ""
    """Why an order can't be written and read; empty if it can."""
    statements: Mapping[str, str] = field(default_factory=dict)
    """The integrator's statements that the server does not take, by their place in the settings, with its reason."""
    ahead: float = 0.0
    """By how many seconds its clock is ahead of ours."""
