"""What the gate and the workers ask of the stores. ``adapters/`` implements these; one contract suite holds them.

Every method may raise a ``StoreError``: ``StoreDown`` (surely not done), ``OutcomeUnknown`` (perhaps
done; every method is safe to call again with the same arguments), ``LedgerUntrusted``.
"""

from seckill_sidecar.ports.breaker import Breaker
from seckill_sidecar.ports.broker import Broker, Consumer, Delivery, QueueState
from seckill_sidecar.ports.challenge import Aim, Burns, Challenge, Picture, Pictures, Solved
from seckill_sidecar.ports.identity import Fields, Tokens, Told, Whoami
from seckill_sidecar.ports.invited import Generation, Invitations, InvitedList, NewList, Seat
from seckill_sidecar.ports.ledger import Admits, Ends, Kept, Ledger, Reserving, Shadow, Standing, Standings, Switches
from seckill_sidecar.ports.orders_db import EpochUnits, OrdersDb, Parked, ParkedState, Written
from seckill_sidecar.ports.vitals import BrokerVitals, DatabaseVitals, LedgerVitals

__all__ = [
    "Admits",
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
    "Fields",
    "Generation",
    "Invitations",
    "InvitedList",
    "Kept",
    "Ledger",
    "LedgerVitals",
    "NewList",
    "OrdersDb",
    "Parked",
    "ParkedState",
    "Picture",
    "Pictures",
    "QueueState",
    "Reserving",
    "Seat",
    "Shadow",
    "Solved",
    "Standing",
    "Standings",
    "Switches",
    "Tokens",
    "Told",
    "Whoami",
    "Written",
]
