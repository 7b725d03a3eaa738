"""gunicorn for what the gate is compared with: the sidecar's own settings."""

from gevent import monkey

monkey.patch_all()

workers = 2
backlog = 512
worker_connections = 1000
keepalive = 15
timeout = 30
http_parser = "python"
header_map = "drop"
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
forwarded_allow_ips = "*"
control_socket_disable = True
accesslog = None
errorlog = "-"
