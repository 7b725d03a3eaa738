"""What MySQL and MariaDB are asked before a sale."""

from __future__ import annotations

from seckill_sidecar.adapters.orders_db.session import Session, Statement

_VARIABLES = ("innodb_flush_log_at_trx_commit", "sync_binlog", "log_bin", "read_only", "sql_mode")
_GLOBALS = Statement("settings", f"SELECT VERSION(), {', '.join(f'@@GLOBAL.{name}' for name in _VARIABLES)}")
_NOW = Statement("clock", "SELECT UNIX_TIMESTAMP(NOW(6))")
_CONSTRAINTS = Statement(
    "constraints",
    "SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()",
)
_ENGINES = Statement(
    "engines",
    "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'seckill\\_%%' ORDER BY TABLE_NAME",
)
_PREPARE = "PREPARE seckill_probe FROM %(sql)s"
_FORGET = Statement("forget a statement", "DEALLOCATE PREPARE seckill_probe")


def vitals(session: Session) -> tuple[str, dict[str, str]]:
    """The server's version, and those of its own settings that decide over durability."""
    [(version, *values)] = session.fetch(_GLOBALS, {})
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    return f"{kind} {version}", {name: str(value) for name, value in zip(_VARIABLES, values, strict=True)}


def now(session: Session) -> float:
    """Its time, in seconds since 1970."""
    return float(session.fetch(_NOW, {})[0][0])


def constraints(session: Session) -> frozenset[str]:
    """The names of all unique keys and CHECK constraints."""
    return frozenset(name for (name,) in session.fetch(_CONSTRAINTS, {}))


def untransactional(session: Session) -> tuple[str, ...]:
    """Our tables that aren't InnoDB's."""
    return tuple(f"{table} ({engine})" for table, engine in session.fetch(_ENGINES, {}) if engine != "InnoDB")


def prepare(session: Session, statement: Statement) -> None:
    """Let the server read a statement, and look its tables, columns and privileges up, without running it."""
    sql = statement.sql % dict.fromkeys(statement.parameters, "?")
    session.fetch(Statement(statement.name, _PREPARE), {"sql": sql})
    session.fetch(_FORGET, {})
