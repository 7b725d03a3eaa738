"""Kinds of challenges. Their libraries are extras, and each is imported only where its kind is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from seckill_sidecar.clock import Clock
from seckill_sidecar.ports import Breaker, Challenge, Pictures
from seckill_sidecar.settings.challenges import AltchaSettings, ImageSettings, SiteverifySettings

_HERE = "seckill_sidecar.adapters.challenges"


def proof_of_work(settings: AltchaSettings, secrets: Sequence[bytes], lifetime: float, clock: Clock) -> Challenge:
    """Challenges of the ALTCHA widget; ``secrets`` are the site's, the first signs."""
    begin: Callable[..., Challenge] = importlib.import_module(f"{_HERE}.proof_of_work").ProofOfWork
    return begin(settings, secrets, lifetime, clock)


def drawn_pictures(settings: ImageSettings, clock: Clock) -> Pictures:
    """Pictures, drawn from now on in the background, also in each process that is forked from this one."""
    begin: Callable[..., Pictures] = importlib.import_module(f"{_HERE}.drawing").begin
    return begin(settings, clock)


def siteverify(kind: str, settings: SiteverifySettings, breaker: Breaker, connect: float, most: int) -> Challenge:
    """Challenges of somebody else: ``turnstile`` or ``hcaptcha``. At most ``most`` are examined at once.

    ``connect`` is how long opening a connection may take, in seconds.
    """
    begin: Callable[..., Challenge] = importlib.import_module(f"{_HERE}.siteverify").Siteverify
    return begin(kind, settings, breaker, connect, most)
