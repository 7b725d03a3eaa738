"""Who is admitted to a site's sales, and by which address that is asked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cached_property, partial

from seckill_sidecar.clock import Deadline
from seckill_sidecar.gate.admit import NONCE_BYTES, Admitter, Check
from seckill_sidecar.gate.challenge import Challenger
from seckill_sidecar.gate.pipeline import Observer
from seckill_sidecar.gate.reply import Reply
from seckill_sidecar.observers import log
from seckill_sidecar.observers.abuse import ABUSE
from seckill_sidecar.plugs.admissions import AdmissionResource
from seckill_sidecar.settings.schema import Route
from seckill_sidecar.wire.admissions import sign_admission
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wiring.gate import Gate


class Admission(Gate):
    """The admission of one site."""

    @cached_property
    def admission_checks(self) -> Sequence[Check]:
        """What is asked of whoever wants to be admitted, besides identity and rate; in this order."""
        return () if self.challenger is None else (partial(_solved, self.challenger),)

    def admission_resources(self) -> dict[str, object]:
        """Their address below the prefix, if any route asks for admission."""
        asked = any(route.admission.asked for route in self.settings.routes)
        return {"admissions/{sku}": self._admission_resource()} if asked else {}

    def _admission_resource(self) -> AdmissionResource:
        settings = self.settings
        # The reply names the rates by which it was refused, and here these are the admission's.
        rates = {"buyer": settings.admission.buyer, "address": settings.admission.address}
        limits = settings.limits.model_copy(update=rates)
        reply = Reply(settings.serve.prefix, self.keyring, limits, self.clock, pages=self.pages)
        observers: list[Observer] = [log.DecisionLog(self.clock, self.keyring.pseudonym, settings.log.refusals)]
        if self._abuse_log is not None:
            observers.append(self._abuse_log)
        return AdmissionResource(
            self._admitter(reply),
            reply,
            self._identifier.address,
            self.clock,
            observers,
            addressed=ABUSE if self._abuse_log is not None else (),
        )

    def _admitter(self, reply: Reply) -> Admitter:
        settings = self.settings
        return Admitter(
            settings.routes,
            refuse_if_foreign=self._origins.refuse_if_foreign,
            who=self._identifier.who_wishes,
            address_of=self._identifier.address,
            checks=self.admission_checks,
            ledger=self.ledger,
            breaker=self.breaker("ledger"),
            sign=partial(sign_admission, self.keyring),
            refusal_of=reply.refusal_of,
            new_nonce=partial(secrets.token_urlsafe, NONCE_BYTES),
            clock=self.clock,
            seconds=settings.timeouts.request,
            known_items=[item.sku for item in settings.items],
            is_unknown=self._known_items.is_unknown if self._goes_by_names else lambda _: False,
        )


def _solved(challenger: Challenger, request: Request, route: Route, buyer: str, item: str, deadline: Deadline) -> None:
    """Raise ``Refusal``, ``Malformed`` or ``StoreError`` for a challenge of the route that is not solved."""
    if route.challenge is not None:
        challenger.check(request, route, buyer, item, deadline)
