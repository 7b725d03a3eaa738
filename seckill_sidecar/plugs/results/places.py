"""A place to wait for an order, or the answer that says why there is none."""

from __future__ import annotations

import math

import falcon

from seckill_sidecar.gate.results.desk import Asker
from seckill_sidecar.gate.results.hub import Full, Stopping, Waiter
from seckill_sidecar.gate.results.result import Result
from seckill_sidecar.plugs.results.asking import no_such_order
from seckill_sidecar.plugs.results.following import Follower


def place_for(follower: Follower, asker: Asker) -> tuple[Waiter, Result]:
    """A place, and what is known already; raises 404, 503."""
    try:
        waiter = follower.hub.join(asker.order_id)
    except (Full, Stopping) as error:
        raise falcon.HTTPServiceUnavailable(
            title="Ask again instead of waiting",
            description=f"{error}; the order itself can be asked for at its own address",
            retry_after=math.ceil(follower.pace.come_back_after()),
        ) from error
    result = Result(none=True)
    try:
        result = follower.first(asker)
    finally:
        if result.none:
            waiter.leave()
    if result.none:
        raise no_such_order(asker)
    return waiter, result
