"""What the gate and the workers ask of the stores. ``adapters/`` implements these; one contract suite holds them.

Every method may raise a ``StoreError``: ``StoreDown`` (surely not done), ``OutcomeUnknown`` (perhaps
done; every method is safe to call again with the same arguments), ``LedgerUntrusted``.
"""

from seckill_sidecar.ports.breaker import Breaker
from seckill_sidecar.ports.broker import Broker, Consumer, Delivery, QueueState
from seckill_sidecar.ports.challenge import Aim, Burns, Challenge, Picture, Pictures, Solved
from seckill_sidecar.ports.ledger import Ends, Kept, Ledger, Reserving, Shadow, Standing, Standings, Switches
from seckill_sidecar.ports.orders_db import EpochUnits, OrdersDb, Parked, ParkedState, Written
from seckill_sidecar.ports.vitals import BrokerVitals, DatabaseVitals, LedgerVitals

__all__ = [
    "Aim",
    "Breaker",
    "Broker",
    "BrokerVitals",
    "Burns",
    "Challenge",
    "Consumer",
    "DatabaseVitals",
    "Delivery",
    "Ends",
    "EpochUnits",
    "Kept",
    "Ledger",
    "LedgerVitals",
    "OrdersDb",
    "Parked",
    "ParkedState",
    "Picture",
    "Pictures",
    "QueueState",
    "Reserving",
    "Shadow",
    "Solved",
    "Standing",
    "Standings",
    "Switches",
    "Written",
]
