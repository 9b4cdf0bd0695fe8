"""A private RabbitMQ node of the installed server: own ports, cookie, data folder and port mapper (epmd)."""

import contextlib
import shutil
import time
from pathlib import Path

from bench.errors import EnvironmentFault
from bench.run.keeper import Keeper
from bench.run.process import Child, clean_environment, free_port

BOOT_S = 60.0
"""About six seconds on an idle machine; Erlang starts much slower on a busy one."""
SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's command of that name changes to the user ``rabbitmq``; these run as whoever calls them."""


class Node:
    """The running node and its port mapper; stopped together."""

    def __init__(self, server: Child, epmd: Child, port: int) -> None:
        self.server = server
        self.epmd = epmd
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"

    @property
    def pid(self) -> int:
        return self.server.pid

    @property
    def exit_status(self) -> int | None:
        return self.server.exit_status

    def stop(self) -> None:
        self.server.stop()
        self.epmd.stop()


def start(keeper: Keeper, folder: Path, port: int, found: str) -> Node:
    """Start a node and wait until it takes connections. Raises EnvironmentFault with its last words."""
    epmd_binary = shutil.which("epmd")
    if epmd_binary is None:
        raise EnvironmentFault("epmd, Erlang's port mapper, is not on PATH.", "apt-get install erlang-base")
    folder.mkdir(exist_ok=True)
    (folder / "enabled_plugins").write_text("[].\n")
    epmd_port, dist_port = free_port(), free_port()
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
    }
    environment = clean_environment(env)
    epmd = [epmd_binary, "-port", str(epmd_port), "-address", "127.0.0.1"]
    mapper = Child(epmd, keeper=keeper, log=folder / "epmd.log", env=environment)
    script = next((path for path in SCRIPTS if Path(path).exists()), found)
    server = Child([script], keeper=keeper, log=folder / "server.log", env=environment)
    node = Node(server, mapper, port)
    end = time.monotonic() + BOOT_S
    while time.monotonic() < end and node.exit_status is None:
        if _answers(node.url):
            return node
        time.sleep(0.1)
    node.stop()
    raise EnvironmentFault(f"rabbitmq-server did not start on port {port}.", server.tail() or "No output.")


def _answers(url: str) -> bool:
    from kombu.connection import Connection

    with contextlib.suppress(OSError), Connection(url, connect_timeout=2) as connection:
        connection.connect()
        return True
    return False
