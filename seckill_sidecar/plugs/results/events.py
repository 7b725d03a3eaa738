"""``GET {prefix}orders/{id}/events``: what becomes of an order as Server-Sent Events, until all is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import falcon

from seckill_sidecar.gate.results.hub import Waiter
from seckill_sidecar.plugs.results.asking import Reception
from seckill_sidecar.plugs.results.following import Follower, News, Step
from seckill_sidecar.plugs.results.places import place_for
from seckill_sidecar.wire.request import Request


class EventsResource:
    """One order's events, ``event: order`` with the members of a look-up as its data."""

    def __init__(self, reception: Reception, follower: Follower) -> None:
        self._reception = reception
        self._follower = follower

    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: str) -> None:
        resp.cache_control = ["no-store"]
        asker = self._reception.asker(req, order_id)
        if not req.client_accepts("text/event-stream"):
            raise falcon.HTTPNotAcceptable(title="Events", description="this address tells text/event-stream only")
        follower = self._follower
        waiter, result = place_for(follower, asker)
        resp.content_type = "text/event-stream"
        resp.set_header("X-Accel-Buffering", "no")
        steps = follower.steps(asker, waiter, result)
        resp.stream = EventStream(steps, waiter, Request(req.env).is_abandoned, follower.pace.come_back_after)


class EventStream:
    """The body. Its place among the waiters is given back when the server closes it, however it ends."""

    def __init__(
        self,
        steps: Iterator[News | Step],
        waiter: Waiter,
        is_abandoned: Callable[[], bool],
        come_back_after: Callable[[], float],
    ) -> None:
        self._steps = steps
        self._waiter = waiter
        self._is_abandoned = is_abandoned
        self._come_back_after = come_back_after

    def __iter__(self) -> Iterator[bytes]:
        # Named first, so that who loses the line does not come back at once together with all others.
        yield self._retry()
        for step in self._steps:
            if self._is_abandoned():
                return
            if isinstance(step, News):
                yield f"event: order\ndata: {json.dumps(step.members, ensure_ascii=False)}\n\n".encode()
            elif step is Step.BEAT:
                yield b": waiting\n\n"
            else:
                yield self._retry()

    def close(self) -> None:
        """Give the place back."""
        self._waiter.leave()

    def _retry(self) -> bytes:
        return f"retry: {int(self._come_back_after() * 1000)}\n\n".encode()
