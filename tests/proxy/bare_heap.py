"""An application that says how much its process's garbage collector looks at, for a WSGI server to run in tests."""

import gc
import json
from collections.abc import Callable, Iterable
from typing import Any


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    heap = {"spared": gc.get_freeze_count(), "looked_at": len(gc.get_objects()), "young": gc.get_threshold()[0]}
    return [json.dumps(heap).encode()]
