"""One of several shops on a machine: what is a single shop's in units and YAML, made the own of a site.

The units of sites are templates, and the instance is the site: ``seckill-sidecar@shop``. As systemd has one instance
string, a writer's number stands in its template's name: ``seckill-writer-2@shop``. All are made of a single shop's
units when they are laid out, so nothing can differ but what stands here.
"""

from __future__ import annotations

import re

from seckill_sidecar.errors import UsageError

MOST_WRITERS = 64
_SITE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ONE_SHOPS = "seckill"
_TAKEN = ("shield", "metrics", "amq", "mysql", "sys", "information_schema", "performance_schema")
"""Folders of a single shop in /run/seckill, names that RabbitMQ keeps for itself, and databases of MySQL's own."""
_WRITER = "seckill-writer@.service"

OF_UNITS = (
    ("seckill-sidecar.s", "seckill-sidecar@%i.s"),
    ("seckill.target", "seckill@%i.target"),
    ("seckill-writer@1 seckill-writer@2", "seckill-writer-1@%i seckill-writer-2@%i"),
    ("Description=seckill-sidecar:", "Description=seckill-sidecar (%i):"),
    ("(writer %i)", "(writer %j)"),
    ("/etc/seckill/seckill.", "/etc/seckill/%i."),
    ("/etc/seckill/credentials", "/etc/seckill/%i.credentials"),
    ("/run/seckill/", "/run/seckill/%i/"),
    ("RuntimeDirectory=seckill/", "RuntimeDirectory=seckill/%i/"),
    ("StateDirectory=seckill\n", "StateDirectory=seckill/%i\n"),
    ("/var/lib/seckill\n", "/var/lib/seckill/%i\n"),
    ("DefaultInstance=1\n", ""),
)
"""What a single shop's units say, and what the templates say instead."""

OF_YAML = (
    ("  #listen: 127.0.0.1:8600          ", "  listen: unix:/run/seckill/%i/sidecar.sock  "),
    ("  #folder: /run/seckill/shield ", "  folder: /run/seckill/%i/shield "),
    ("  folder: /run/seckill/metrics ", "  folder: /run/seckill/%i/metrics "),
    ("  #prefix: seckill ", "  prefix: %i "),
    ("  #exchange: seckill ", "  exchange: %i "),
    ("  #queue: seckill.orders ", "  queue: %i.orders "),
    ("  #parked: seckill.parked ", "  parked: %i.parked "),
    ("@127.0.0.1:3306/seckill\n", "@127.0.0.1:3306/%i\n"),
    (
        "    secret: file:/etc/seckill/key  # or ${ENVIRONMENT_VARIABLE}",
        "    secret: ${SECKILL_KEY}         # or file:/path",
    ),
)

ENVIRONMENT = """\
# What ${NAME} in %i.yaml stands for. systemd reads it as root; to run a command by hand, as root:
#   (set -a; . /etc/seckill/%i.env; seckill-sidecar check -c /etc/seckill/%i.yaml)
SECKILL_KEY=
SECKILL_BROKER_PASSWORD=
SECKILL_DATABASE_PASSWORD=
"""


def refuse_unfit(site: str) -> None:
    """Raise ``UsageError`` for a name that can't be a site's."""
    if not _SITE.fullmatch(site) or site == _ONE_SHOPS or site in _TAKEN:
        raise UsageError(
            f"--site {site!r}: a site's name is a small letter and then small letters, digits and _, 32 at most"
            f" (and not seckill, whose files are the single shop's, nor {', '.join(_TAKEN)}, which are others')"
        )


def template_names(unit: str, writers: int) -> list[str]:
    """What the templates are called that are made of a single shop's unit."""
    if unit == _WRITER:
        return [f"seckill-writer-{number}@.service" for number in range(1, writers + 1)]
    name, _, kind = unit.rpartition(".")
    return [f"{name}@.{kind}"]


def template(text: str) -> str:
    """A single shop's unit, as the template of all sites."""
    for of_one, of_all in OF_UNITS:
        text = text.replace(of_one, of_all)
    return text


def configuration(text: str, site: str) -> str:
    """The shipped YAML with names, sockets and folders of the site's own."""
    for of_one, of_all in OF_YAML:
        text = text.replace(of_one, of_all)
    return named(text, site)


def named(text: str, site: str) -> str:
    """A text about ``%i``, about this site."""
    return text.replace("%i", site)
