"""Pictures of characters, drawn in the background: the only file that imports captcha.

The pool is renewed at one pace, however many ask: a picture may be shown to several, each with a token of their own,
and is gone when it is old. So nobody waits for a drawing, and a flood of requests costs no drawing more.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import threading
from collections import deque
from collections.abc import Callable

from captcha.image import ImageCaptcha

from seckill_sidecar.clock import Clock
from seckill_sidecar.ports import Picture
from seckill_sidecar.settings.challenges import ImageSettings

ALPHABET = "ACDEFHJKMNPRTUVWXY3479"
"""Without what looks like something else in it: 0 O Q, 1 I L, 2 Z, 5 S, 6 G, 8 B."""
_SIZE = (240, 80)
_BREATH = 0.02
"""Seconds between two drawings while the pool fills: the process has other things to do."""
_log = logging.getLogger(__name__)


def begin(settings: ImageSettings, clock: Clock) -> Pool:
    """A pool that fills from now on."""
    pool = Pool(settings, clock, _drawer())
    pool.start()
    return pool


class Pool:
    """``ports.Pictures``, at most ``pool`` of them, each for ``age`` seconds."""

    def __init__(self, settings: ImageSettings, clock: Clock, draw: Callable[[str], bytes]) -> None:
        """``draw`` makes a PNG of some characters."""
        self._settings = settings
        self._clock = clock
        self._draw = draw
        self._pictures: deque[Picture] = deque(maxlen=settings.pool)

    def start(self) -> None:
        """Draw in a thread, as long as the process lives; also in each process that is forked from this one."""
        os.register_at_fork(after_in_child=self._run_here)
        self._run_here()

    def pick(self) -> Picture | None:
        """One of the pictures by chance."""
        try:
            return random.choice(self._pictures)  # noqa: S311 - which of them is no secret
        except IndexError:
            return None

    def renew(self) -> None:
        """Draw one more picture; the oldest goes if the pool is full."""
        answer = "".join(secrets.choice(ALPHABET) for _ in range(self._settings.length))
        self._pictures.append(Picture(self._draw(answer), answer))

    @property
    def pause(self) -> float:
        """Seconds until the next drawing is due."""
        if len(self._pictures) < self._settings.pool:
            return _BREATH
        return self._settings.age / self._settings.pool

    def _run_here(self) -> None:
        threading.Thread(target=self._run, name="pictures", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.renew()
            except Exception:  # noqa: BLE001 - whatever the library meets, the old pictures stay
                _log.exception("a picture could not be drawn")
                self._clock.sleep(self._settings.age)
            self._clock.sleep(self.pause)


def _drawer() -> Callable[[str], bytes]:
    width, height = _SIZE
    drawing = ImageCaptcha(width=width, height=height)
    return lambda answer: drawing.generate(answer).getvalue()
