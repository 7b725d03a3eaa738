"""The words of the design as types: item, purchase, verdict, order, event. No I/O.

Times in records are milliseconds since 1970-01-01 UTC (``…_ms``), as Redis and the messages carry
them; durations in Python are seconds.
"""

from seckill_sidecar.model.decisions import Admittance, Decision, OutboxEntry, Settled, Settlement
from seckill_sidecar.model.events import MESSAGE_VERSION, Event
from seckill_sidecar.model.items import Item, ItemView, Rate
from seckill_sidecar.model.modes import Mode, Override, RouteStance, Stance
from seckill_sidecar.model.orders import Admission, Order, Purchase, restated
from seckill_sidecar.model.words import ORDER_ID, SKU, EventKind, State, Verdict

__all__ = [
    "MESSAGE_VERSION",
    "ORDER_ID",
    "SKU",
    "Admission",
    "Admittance",
    "Decision",
    "Event",
    "EventKind",
    "Item",
    "ItemView",
    "Mode",
    "Order",
    "OutboxEntry",
    "Override",
    "Purchase",
    "Rate",
    "RouteStance",
    "Settled",
    "Settlement",
    "Stance",
    "State",
    "Verdict",
    "restated",
]
