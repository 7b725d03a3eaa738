"""The challenges of a site, those kinds of them that its routes name."""

from __future__ import annotations

from functools import cached_property

from seckill_sidecar.adapters.breaker import StoreBreaker
from seckill_sidecar.adapters.challenges import drawn_pictures, proof_of_work, siteverify
from seckill_sidecar.adapters.ledger import connect_burns
from seckill_sidecar.gate.challenge import Bounds, Challenger, Kind
from seckill_sidecar.gate.picture import PictureChallenge
from seckill_sidecar.observers import log
from seckill_sidecar.ports import Challenge
from seckill_sidecar.settings.challenges import SiteverifySettings
from seckill_sidecar.wiring.buyers import Buyers


class Challenges(Buyers):
    """What a site asks of its buyers before they buy."""

    @cached_property
    def challenger(self) -> Challenger | None:
        """None unless a route names a challenge. Draws pictures from now on if one names those."""
        settings = self.settings
        names = {route.challenge for route in settings.routes if route.challenge is not None}
        if not names:
            return None
        challenges = settings.challenges
        return Challenger(
            settings.serve.prefix,
            {name: self._kind(name) for name in sorted(names)},
            connect_burns(settings, self.clock),
            self.breaker("ledger"),
            settings.identity,
            self.who_asks,
            Bounds(
                again=challenges.again,
                idempotency=settings.ledger.idempotency,
                lifetime=challenges.lifetime,
                rate=challenges.rate,
                body=settings.limits.body,
            ),
            self.clock,
        )

    def _kind(self, name: str) -> Kind:
        settings = self.settings.challenges
        match name:
            case "altcha":
                return _single(self._proof_of_work(), settings.altcha.field, settings.altcha.header)
            case "image":
                image = settings.image
                headers = {"solution": image.header, "challenge": image.token_header}
                return Kind(
                    self._pictures(),
                    {"solution": image.field, "challenge": image.token},
                    {part: header for part, header in headers.items() if header is not None},
                )
        service = settings.turnstile if name == "turnstile" else settings.hcaptcha
        return _single(self._siteverify(name, service), service.field, service.header)

    def _proof_of_work(self) -> Challenge:
        settings = self.settings.challenges
        return proof_of_work(settings.altcha, self.keyring.secrets("altcha"), settings.lifetime, self.clock)

    def _pictures(self) -> Challenge:
        settings = self.settings.challenges
        return PictureChallenge(drawn_pictures(settings.image, self.clock), self.keyring, settings.lifetime, self.clock)

    def _siteverify(self, name: str, service: SiteverifySettings) -> Challenge:
        listeners = [log.log_breaker, *([self.metrics.breaker] if self.metrics else [])]
        breaker = StoreBreaker(name, self.settings.breakers.siteverify, self.clock, listeners)
        return siteverify(name, service, breaker, self.settings.timeouts.connect, self.settings.limits.in_flight)


def _single(challenge: Challenge, field: str, header: str | None) -> Kind:
    return Kind(challenge, {"solution": field}, {} if header is None else {"solution": header})
