"""Private servers for tests and the demo: real Redis, Valkey, RabbitMQ, MariaDB, nginx and Prometheus, on free ports.

Each runs in a folder of its own under the user who calls, beside whatever the machine runs already, and is gone with
the program that started it. ``install.sh`` installs what is missing. Nothing here needs more than Python itself.

    with Redis(appendonly="yes") as redis:
        ...                  # redis.url
        redis.pause()        # SIGSTOP: it accepts, and answers nothing
        redis.resume()
        redis.kill()         # SIGKILL
        redis.start()        # on the same port, with the same data
"""

from stack.base import NotInstalled, Server, StackError
from stack.mariadb import MariaDB
from stack.nginx import Nginx
from stack.ports import free_port
from stack.prometheus import Prometheus
from stack.rabbitmq import RabbitMQ
from stack.redis import Redis, Valkey
from stack.wait import eventually

__all__ = [
    "MariaDB",
    "Nginx",
    "NotInstalled",
    "Prometheus",
    "RabbitMQ",
    "Redis",
    "Server",
    "StackError",
    "Valkey",
    "eventually",
    "free_port",
]
