"""What the errors of SQLite mean. Source: https://www.sqlite.org/rescode.html."""

from __future__ import annotations

import sqlite3

from seckill_sidecar.adapters.orders_db.session import Fault

_BY_EXTENDED_CODE = {
    sqlite3.SQLITE_CONSTRAINT_CHECK: Fault.CHECK,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Fault.DUPLICATE,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Fault.DUPLICATE,
}
_BY_CODE = {
    sqlite3.SQLITE_ERROR: Fault.SCHEMA,  # no such table or column, syntax
    sqlite3.SQLITE_AUTH: Fault.SCHEMA,
    sqlite3.SQLITE_CONSTRAINT: Fault.DATA,
    sqlite3.SQLITE_MISMATCH: Fault.DATA,
    sqlite3.SQLITE_TOOBIG: Fault.DATA,
    sqlite3.SQLITE_SCHEMA: Fault.BUSY,  # another process changed the schema: prepare the statement again
}


def fault_of(error: Exception) -> Fault:
    """What an error means; a full disk, a lock held for too long, a broken file and the like are ``DOWN``."""
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.NotSupportedError | sqlite3.Warning):
        return Fault.SCHEMA
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR)
    return _BY_EXTENDED_CODE.get(code) or _BY_CODE.get(code & 0xFF, Fault.DOWN)
