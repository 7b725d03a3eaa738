"""pydantic's errors → findings in our own words: what stands there, what is wrong, how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from seckill_sidecar.settings.document import Document
from seckill_sidecar.settings.findings import Finding, Path
from seckill_sidecar.settings.lookup import field_at, fields_of, section_at
from seckill_sidecar.settings.substitution import is_secret
from seckill_sidecar.settings.values import masked

_ALLOWED = {
    "^[A-Za-z0-9_-]{1,32}$": "1 to 32 letters, digits, - and _",
    "^[A-Za-z0-9_-]{1,16}$": "1 to 16 letters, digits, - and _",
    "^[A-Za-z0-9_.:-]{1,127}$": "1 to 127 letters, digits, and _ . : -",
    "^[a-z0-9-]{1,32}$": "1 to 32 small letters, digits and -",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "1 to 64 letters, digits and . _ -, beginning with a letter or digit",
    "^/([A-Za-z0-9._-]+/)+$": "a path that begins and ends with /, for example /seckill/",
    "^(/[A-Za-z0-9._-]+)+$": "an absolute path of letters, digits and . _ -, for example /run/seckill/shield",
    r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?$": "an origin, for example https://m.shop.example",
    r"^(\$[a-z0-9_]+)?$": "one variable of nginx, for example $remote_user",
}
_NO_SCALAR = ("a mapping", "a list", "nothing", "null")


@dataclass(frozen=True)
class _Fault:
    """One of pydantic's errors, with what stood in the file."""

    path: Path
    kind: str
    found: str
    context: dict[str, Any]


def explain(error: ValidationError, document: Document) -> Iterator[tuple[Finding, bool]]:
    """Each error as a finding, and whether it is about a key rather than its value."""
    for details in error.errors(include_url=False):
        if details["type"] == "too_short" and isinstance(details["input"], tuple) and details["input"]:
            continue  # the list is long enough: pydantic counts its sound elements only, and tells of the others
        fault = _fault(details, document)
        yield Finding(fault.path, _PHRASES.get(fault.kind, _other)(fault)), fault.kind == "extra_forbidden"


def _fault(details: ErrorDetails, document: Document) -> _Fault:
    # Steps such as <mapping> are names of union members, [key] marks a dict's key: neither is in the file.
    path = tuple(step for step in details["loc"] if not str(step).startswith(("<", "[")))
    found = "" if details["type"] == "missing" else masked(document.found(path))
    return _Fault(path, details["type"], "the secret" if is_secret(path) else found, details.get("ctx", {}))


# -- one phrase for each kind of error -------------------------------------------------------------


def _unknown(fault: _Fault) -> str:
    section = section_at(fault.path[:-1])
    known = sorted(fields_of(section)) if section else []
    near = difflib.get_close_matches(str(fault.path[-1]), known, n=1)
    meant = f"; did you mean {near[0]}?" if near else "."
    return f"is no known key{meant} What can stand here: {', '.join(known)}"


def _missing(fault: _Fault) -> str:
    field = field_at(fault.path)
    return f"is missing; add it: {field.description if field else 'it is required'}"


def _text(fault: _Fault) -> str:
    if fault.found in _NO_SCALAR:
        return f"{fault.found} is no text{_example(fault)}"
    quotes = "" if is_secret(fault.path) else f': "{fault.found}"'
    return f"{fault.found} is a number or boolean to YAML; write it in quotes{quotes}"


def _whole_number(fault: _Fault) -> str:
    digits = fault.found.strip("'").replace("_", "")
    if "${" in fault.found:
        return f"{fault.found} becomes text, and only texts can come from variables; write the number itself"
    if re.fullmatch("[0-9]{1,18}", digits, re.ASCII):
        return f"{fault.found} is text to YAML; write {int(digits)}"
    return f"{fault.found} is no whole number{_example(fault)}"


def _number(fault: _Fault) -> str:
    return f"{fault.found} is no number{_example(fault)}"


def _boolean(fault: _Fault) -> str:
    return f"{fault.found} is no yes-or-no; write true or false"


def _list(fault: _Fault) -> str:
    if fault.found in _NO_SCALAR:
        return f"{fault.found} is no list; write each element on a line of its own after a dash, or [] for none"
    return f"{fault.found} is no list; write [{fault.found}]"


def _mapping(fault: _Fault) -> str:
    return f"{fault.found} is no mapping; write `key: value` lines below, or remove it"


def _choice(fault: _Fault) -> str:
    choices = re.findall(r"'([^']*)'", fault.context["expected"])
    near = difflib.get_close_matches(fault.found.strip("'").lower(), [choice.lower() for choice in choices], n=1)
    meant = next((f" (did you mean {choice}?)" for choice in choices if choice.lower() in near), "")
    return f"{fault.found} is no choice here{meant}; write one of {', '.join(choices)}"


def _too_short(fault: _Fault) -> str:
    least = fault.context["min_length"]
    if fault.found == "a list":
        return f"is empty; write {least} element or more"
    return f"{fault.found} is too short; write {least} character{'s' * (least > 1)} or more"


def _pattern(fault: _Fault) -> str:
    pattern = fault.context["pattern"]
    return f"{fault.found} doesn't fit; write {_ALLOWED.get(pattern, pattern)}"


def _value(fault: _Fault) -> str:
    error = str(fault.context["error"])
    return error if fault.found == "a mapping" else f"{fault.found} {error}"


def _no_unicode(_: _Fault) -> str:
    return "holds bytes or escapes that are no text; correct it"


def _bound(words: str, key: str) -> Callable[[_Fault], str]:
    return lambda fault: f"{fault.found} is out of range; it must be {words} {fault.context[key]:.12g}"


def _other(fault: _Fault) -> str:
    return f"{fault.found} can't stand here ({fault.kind})"


_PHRASES: dict[str, Callable[[_Fault], str]] = {
    "bool_type": _boolean,
    "dict_type": _mapping,
    "extra_forbidden": _unknown,
    "float_type": _number,
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "int_type": _whole_number,
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "literal_error": _choice,
    "missing": _missing,
    "model_type": _mapping,
    "string_pattern_mismatch": _pattern,
    "string_too_short": _too_short,
    "string_type": _text,
    "string_unicode": _no_unicode,
    "too_short": _too_short,
    "tuple_type": _list,
    "value_error": _value,
}


def _example(fault: _Fault) -> str:
    field = field_at(fault.path)
    default = field.get_default() if field else None
    plain = isinstance(default, int | float | str) and not isinstance(default, bool)
    return f"; write for example {default}" if plain else ""
