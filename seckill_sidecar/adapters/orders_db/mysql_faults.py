"""What the errors of MySQL and MariaDB mean: by code where that says more than its SQLSTATE, else by SQLSTATE's class.

Sources: the servers' error references (share/errmsg-utf8.txt), and PyMySQL's constants for the client's own (2000 up).
"""

from __future__ import annotations

from seckill_sidecar.adapters.orders_db.session import Fault

_CODES: dict[Fault, tuple[int, ...]] = {
    Fault.LOST: (
        0,  # PyMySQL: the connection is closed
        1053,  # server shutdown in progress
        1317,  # query interrupted
        1927,  # MariaDB: connection was killed
        2006,  # server has gone away
        2013,  # lost connection during query
        2014,  # commands out of sync
        2055,  # lost connection, with the system's error
        4031,  # MySQL: disconnected for inactivity
    ),
    Fault.BUSY: (
        1020,  # record has changed since last read
        1205,  # lock wait timeout: rolls back one statement only
        1213,  # deadlock
        1412,  # table definition has changed, retry
        1615,  # statement needs to be re-prepared
        3572,  # lock with NOWAIT
    ),
    Fault.DUPLICATE: (1022, 1062, 1586),
    Fault.CHECK: (3819, 4025),  # MySQL's, MariaDB's
    Fault.DATA: (
        1105,  # MariaDB: raised for a value that a function can't take
        1153,  # packet too large: a smaller batch, or without the one that is large, may fit
        1265,  # data truncated
        1366,  # incorrect value for column
        1411,  # incorrect value for function
        1441,  # datetime overflow
        1525,  # MariaDB: incorrect value
        1528,  # no partition for the value
        1526,  # no partition for the value
    ),
    Fault.SCHEMA: (
        1109,  # unknown table
        1136,  # column count does not match value count
        1267,  # illegal mix of collations
        1270,
        1271,
        1288,  # target is not updatable
        1356,  # view refers to invalid objects
        1364,  # field has no default value
        1442,  # table is used by the statement that invoked this trigger
        1449,  # definer does not exist
        1471,  # target is not insertable
        1906,  # MariaDB: value for generated column
        3105,  # MySQL: value for generated column
    ),
    Fault.DOWN: (
        1021,  # disk full
        1114,  # table is full
        1040,  # too many connections
        1203,  # user has too many connections
        1226,  # user has exceeded a resource limit
        1290,  # server is read-only
        1792,  # transaction is read-only
        1836,  # server is in read-only mode
        1969,  # MariaDB: max_statement_time exceeded
        3024,  # MySQL: max_execution_time exceeded
    ),
}
_BY_CODE = {code: fault for fault, codes in _CODES.items() for code in codes}

_BY_CLASS = {
    "08": Fault.DOWN,  # connection
    "21": Fault.DATA,  # a subquery returned several rows
    "22": Fault.DATA,
    "23": Fault.DATA,  # foreign key, NOT NULL
    "40": Fault.BUSY,  # rolled back
    "42": Fault.SCHEMA,  # syntax, names, privileges
    "44": Fault.DATA,  # WITH CHECK OPTION
    "45": Fault.DATA,  # SIGNAL in a trigger or procedure of the integrator's
}


def fault_of(code: int, sqlstate: str | None) -> Fault:
    """What an error means. One that nobody has listed stops the writer, loudly, rather than park orders for it."""
    return _BY_CODE.get(code) or _BY_CLASS.get((sqlstate or "")[:2], Fault.DOWN)
