"""Where a purchase stands in its caller's trace, by W3C Trace Context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Trace:
    """Each field is a ``traceparent``, or empty."""

    came: str = ""
    """What the request came with, if that was valid."""
    own: str = ""
    """Names the purchase's own span. Only if somebody will be told of it: the purchase is sampled."""
    storefront: str = ""
    """Names the span of asking the storefront, likewise."""

    @property
    def id(self) -> str:
        """The trace's id, 32 hex digits; empty if there is none."""
        return trace_id(self.own or self.came)

    @property
    def goes_on(self) -> str:
        """What the order's event carries on."""
        return self.own or self.came


NO_TRACE = Trace()


def traceparent_of(environ: Mapping[str, Any]) -> str:
    """The request's ``traceparent``; empty if it has none that is valid."""
    came = environ.get("HTTP_TRACEPARENT")
    return valid(came) if came else ""


def valid(traceparent: str) -> str:
    """The same, or empty if it is none."""
    return traceparent if _TRACEPARENT.fullmatch(traceparent) else ""


def trace_id(traceparent: str) -> str:
    """32 hex digits."""
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    """16 hex digits: the caller's span, the parent of what follows."""
    return traceparent[36:52]


def is_sampled(traceparent: str) -> bool:
    """Whether a valid ``traceparent`` says that its trace is recorded."""
    return bool(traceparent) and bool(int(traceparent[53:], 16) & _SAMPLED)


def follow(environ: Mapping[str, Any]) -> Trace:
    """The trace of a purchase of which nobody is told: what came goes on as it is."""
    came = traceparent_of(environ)
    return Trace(came) if came else NO_TRACE
