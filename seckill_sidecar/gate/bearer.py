"""Who is buying, by a token of somebody else that the request bears."""

from __future__ import annotations

import re

from seckill_sidecar.clock import Deadline
from seckill_sidecar.errors import StoreError, UntrustedToken
from seckill_sidecar.model import Verdict
from seckill_sidecar.ports import Tokens
from seckill_sidecar.wire.answers import Refusal, nobody_can_tell
from seckill_sidecar.wire.request import Request
from seckill_sidecar.wire.values import Place, Values

_SCHEME = re.compile(r"bearer +", re.IGNORECASE | re.ASCII)


class BearersToken:
    """The buyer that a request's token names."""

    def __init__(self, place: Place, tokens: Tokens) -> None:
        """``place`` is the header or cookie that holds it."""
        self._place = place
        self._tokens = tokens

    def __call__(self, request: Request, deadline: Deadline) -> str:
        """The buyer; raises ``Refusal`` (400, 401, 503)."""
        value = Values(request, {}, 0).text(self._place) or ""
        scheme = _SCHEME.match(value)
        token = value[scheme.end() :] if scheme is not None else value
        if not token:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in first", reason=f"no {self._place.kind} {self._place.name}")
        try:
            return self._tokens.buyer(token, deadline)
        except UntrustedToken as error:
            raise Refusal(Verdict.UNIDENTIFIED, "sign in again", reason=str(error)) from error
        except StoreError as error:
            raise nobody_can_tell(error) from error
