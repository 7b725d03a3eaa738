"""Who is logged in: a random cookie value for each name, forgotten when the shop restarts."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

_MOST = 10_000


class Sessions:
    """Names by session id; beyond 10,000 the oldest are logged out."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, name: str) -> str:
        """Log ``name`` in and return the session's id."""
        session = secrets.token_urlsafe(16)
        with self._lock:
            self._names[session] = name
            if len(self._names) > _MOST:
                self._names.popitem(last=False)
        return session

    def name(self, session: str) -> str | None:
        """Who is logged in by this session, if anybody."""
        with self._lock:
            return self._names.get(session)
