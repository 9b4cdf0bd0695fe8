"""What a pool, a broker or this Celery cannot do is refused, with file, line and path."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import scenario
from bench.errors import ScenarioError
from bench.scenario import abilities, checks
from bench.scenario.outside import Outside

QUESTION = "question: q?\n"
FLOOD = "load: {shape: flood, tasks: 10}\n"
PLAIN = "workload: {task: noop}\n"

Refused = Callable[[str], list[str]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Its mistakes as ``line: path: text``; none where the file is good."""

    def read(text: str) -> list[str]:
        path = tmp_path / "s.yaml"
        path.write_text(QUESTION + ("" if "\nload:" in text else FLOOD) + text)
        try:
            scenario.load(path, outside=Outside())
        except ScenarioError as error:
            return [mistake.partition(".yaml:")[2] for mistake in error.mistakes]
        return []

    return read


@pytest.mark.parametrize("pool", ["threads", "gevent", "eventlet", "solo"])
@pytest.mark.parametrize(
    ("key", "value", "why", "pools"),
    [
        ("max_tasks_per_child", "5", "has no children to replace", "prefork"),
        ("max_memory_per_child", "1GiB", "has no children to replace", "prefork"),
        ("pool_start_method", "spawn", "has no children to replace", "prefork"),
        ("soft_time_limit", "1s", "cannot interrupt a task", "prefork"),
        ("time_limit", "1s", "cannot end a task", "prefork gevent"),
        ("autoscale", "1", "cannot grow or shrink", "prefork gevent eventlet"),
        ("concurrency", "auto", "does not know `auto`", "prefork"),
    ],
)
def test_what_a_pool_cannot_do(
    refused: Refused, pool: str, key: str, value: str, why: str, pools: str
) -> None:
    told = refused(f"{PLAIN}workers:\n  pool: {pool}\n  {key}: {value}\n")
    if pool in pools.split():
        assert told == []
    else:
        assert told == [
            f"6: workers.{key}: the {pool} pool {why}: only {pools.replace(' ', ' and ')} can. "
            "Leave it out there"
        ]


TASK = "workload:\n  task: noop\n  "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "workers:\n  pool: solo\n  concurrency: 4\n",
            "6: workers.concurrency: the solo pool runs one task at a time",
        ),
        ("workers:\n  concurrency: 70000\n", "must be at most 10000"),
        (
            "workers:\n  prefetch: 9999\n  concurrency: 100\n",
            "5: workers.prefetch: prefetch 9999 × concurrency 100 is above 65535",
        ),
        (
            "workers:\n  autoscale: 9\n  concurrency: 3\n",
            "5: workers.autoscale: begins with 9, above the concurrency 3",
        ),
        (
            "workers:\n  autoscale: 1\n  concurrency: auto\n",
            "5: workers.autoscale: needs a number that it may grow up to",
        ),
        (
            "workers:\n  heartbeat: 1500ms\n",
            "5: workers.heartbeat: Celery counts whole seconds, so 1.5 s are impossible",
        ),
        (
            "workers:\n  env:\n    CELERY_BROKER_URL: x\n",
            "6: workers.env.CELERY_BROKER_URL: would overrule what the trial sets",
        ),
        (
            "workers:\n  soft_time_limit: 2s\n  time_limit: 2s\n",
            "5: workers.soft_time_limit: is not below `time_limit`",
        ),
        ("workers:\n  cpus: [4095]\n", "5: workers.cpus: there is no core 4095 to run on here"),
        (
            "workers:\n  disable_prefetch: true\nbroker: rabbitmq\n",
            "5: workers.disable_prefetch: RabbitMQ hands out as many as are prefetched",
        ),
        ("broker: {queue: quorum}\n", "4: broker.queue: quorum queues are RabbitMQ's; valkey has one kind"),
        (
            "broker:\n  url: redis://h:1/0\n  persistent: true\n",
            "6: broker.persistent: a Redis or Valkey of your own decides this itself",
        ),
        (
            "broker:\n  kind: rabbitmq\n  queue: quorum\n  persistent: false\n",
            "7: broker.persistent: a quorum queue always writes to disk",
        ),
        (
            "delivery:\n  reject_on_worker_lost: true\n",
            "5: delivery.reject_on_worker_lost: has no effect on messages that are acknowledged early",
        ),
        (
            "delivery:\n  acks: late\n  reject_on_worker_lost: true\nworkers: {pool: threads}\n",
            "6: delivery.reject_on_worker_lost: the threads pool has no children that could be lost",
        ),
        (
            "delivery:\n  visibility_timeout: 1m\nbroker: rabbitmq\n",
            "5: delivery.visibility_timeout: RabbitMQ has none",
        ),
        ("delivery:\n  max_priority: 5\n", "5: delivery.max_priority: is RabbitMQ's; valkey always knows"),
        (
            "delivery:\n  max_priority: 5\nbroker: {kind: rabbitmq, queue: quorum}\n",
            "5: delivery.max_priority: quorum queues know no such priorities",
        ),
        (
            TASK + "priority: 10\n",
            "5: workload.priority: Redis and Valkey know the priorities 0 (first) to 9, not 10",
        ),
        (
            TASK + "priority: 3\nbroker: rabbitmq\n",
            "5: workload.priority: RabbitMQ ignores it in a queue without priorities",
        ),
        (
            TASK + "priority: 6\nbroker: rabbitmq\ndelivery: {max_priority: 5}\n",
            "5: workload.priority: is above `max_priority` 5",
        ),
        (
            TASK + "expires: 5s\nbroker: rabbitmq\n",
            "5: workload.expires: RabbitMQ throws expired messages away and tells nobody",
        ),
        ("messages:\n  results: nowhere\n", "5: messages.results: 'nowhere' is no place for results"),
        ("messages:\n  results: app\n", "5: messages.results: the shipped tasks have no result store"),
        (
            "messages:\n  results: ignored\nload: {shape: closed, clients: 1, tasks: 3}\n",
            "4: messages.results: the clients of a closed load wait for results",
        ),
    ],
)
def test_what_cannot_be(refused: Refused, text: str, told: str) -> None:
    whole = text if "workload:" in text else PLAIN + text
    found = refused(whole)
    assert len(found) == 1, found
    assert told in found[0]


@pytest.mark.parametrize(
    "text",
    [
        f"workers: {{heartbeat: 5s, env: {{C_FORCE_ROOT: '1'}}, cpus: [{min(os.sched_getaffinity(0))}]}}\n",
        "delivery: {acks: late, reject_on_worker_lost: true, visibility_timeout: 1m}\n",
        "workers: [{pool: threads}, {}]\ndelivery: {acks: late, reject_on_worker_lost: true}\n",
        "broker: {kind: rabbitmq, queue: quorum, persistent: true}\n",
        "broker: rabbitmq\ndelivery: {max_priority: 5}\n",
        "broker: {persistent: true}\n",
        "messages: {serializer: msgpack, results: sql}\n",
    ],
)
def test_what_can(refused: Refused, text: str) -> None:
    assert refused(PLAIN + text) == []


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("workers: {pool: gevent}", "gevent"),
        ("messages: {serializer: msgpack}", "msgpack"),
        ("messages: {compression: brotli}", "brotli"),
        ("messages: {compression: zstd}", "zstandard"),
        ("messages: {results: sql}", "SQLAlchemy"),
        ("messages: {results: 'db+sqlite:///x'}", "SQLAlchemy"),
    ],
)
def test_what_a_missing_package_makes_impossible(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, text: str, package: str
) -> None:
    monkeypatch.setattr(checks, "installed", lambda _: False)
    (told,) = refused(PLAIN + text)
    assert f"needs the package {package}, which is not installed. Try: pip install" in told


@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        ("concurrency", "auto", "5.7"),
        ("pool_start_method", "fork", "5.7"),
        ("disable_prefetch", "true", "5.6"),
    ],
)
def test_what_an_older_celery_does_not_know(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, key: str, value: str, needed: str
) -> None:
    monkeypatch.setattr(abilities, "_celery", lambda: (5, 4))
    assert refused(f"{PLAIN}workers:\n  {key}: {value}\n") == [
        f"5: workers.{key}: needs Celery {needed}, here is 5.4. Try: pip install -U celery"
    ]
