"""A message sent in bulk is the message that ``apply_async`` sends; only its ids and its number differ."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from bench.model import Load, Setup, TaskCall
from bench.run import bulk, conf
from bench.run.broker import RunningBroker

pytestmark = pytest.mark.real

TAG = "0f1e2d3c-4b5a-4978-8695-"
OTHERWISE = ("delivery_tag", "application_headers")
"""Properties that are the broker's own number, or that repeat the headers."""
CALLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("plain", [], {}),
    ("full", [1, 2.5, "100 % – {x} é"], {"deep": {"list": [1, None, True]}, "id": "%(id)s"}),
]


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest, bench: Any, needs: Any) -> RunningBroker:
    running: RunningBroker = bench.brokers.get(needs(request.param))
    return running


@pytest.fixture(params=["json", "gzip"])
def app(request: pytest.FixtureRequest, broker: RunningBroker) -> Iterator[Celery]:
    app = Celery("bulk", set_as_current=False)
    setup = Setup(workload=(TaskCall(task="plain"),), load=Load(tasks=1))
    app.conf.update(conf.of_trial(setup, broker, "", "bulk", Path()))
    app.conf.task_compression = None if request.param == "json" else "gzip"
    app.conf.task_routes = {"plain": {"priority": 3}}

    @app.task(name="plain", expires=60.0, shared=False)
    def plain() -> None: ...

    @app.task(name="full", shared=False, time_limit=10, soft_time_limit=5)
    def full(*args: Any, **kwargs: Any) -> None: ...

    yield app
    broker.forget(["bench.bulk"], [])
    app.close()


def published(app: Celery, send: Any) -> list[dict[str, Any]]:
    """Everything that lies in the queue after ``send``, as its consumer gets it."""
    with app.connection_for_write() as connection, connection.channel() as channel:
        queue = app.amqp.queues["bench.bulk"](channel)
        queue.declare()
        queue.purge()
        with app.amqp.Producer(channel) as producer:
            send(producer)
        messages = []
        deadline = time.monotonic() + 10
        while len(messages) < len(CALLS) and time.monotonic() < deadline:
            message = queue.get(no_ack=True)
            if message is not None:
                messages.append(everything(message))
        return sorted(messages, key=lambda fields: fields["headers"]["bench_seq"])


def everything(message: Any) -> dict[str, Any]:
    """All fields of a received message but its delivery tag, which is the broker's or its own id."""
    names = ("body", "content_type", "content_encoding", "headers", "properties")
    fields = {name: getattr(message, name) for name in names}
    properties = {k: v for k, v in fields["properties"].items() if k not in OTHERWISE}
    return json.loads(json.dumps({**fields, "properties": properties}, default=repr))  # type: ignore[no-any-return]


def test_field_by_field(app: Celery) -> None:
    calls = [(app.tasks[name], args, kwargs, {"queue": "bench.bulk"}) for name, args, kwargs in CALLS]

    def one_by_one(producer: Any) -> None:
        for seq, (task, args, kwargs, options) in enumerate(calls, start=41):
            task.apply_async(
                args, kwargs, task_id=bulk.task_id(TAG, seq), headers={"bench_seq": seq},
                producer=producer, **options,
            )  # fmt: skip

    def in_bulk(producer: Any) -> None:
        bulk.Bulk(producer, TAG).send(41, calls)

    wanted, got = published(app, one_by_one), published(app, in_bulk)
    assert len(wanted) == len(got) == len(CALLS)
    for each, other in zip(wanted, got, strict=True):
        close_in_time(each["headers"], other["headers"])
        assert other == each
        assert list(other["headers"]) == list(each["headers"])
    assert wanted[0]["headers"]["bench_seq"] == 41


def test_the_channel_still_waits_for_confirmations(app: Celery, broker: RunningBroker) -> None:
    """Building a message replaces the channel's method for a moment, and puts the same one back."""
    if not broker.is_amqp:
        pytest.skip("Redis confirms nothing")
    app.conf.broker_transport_options = {"confirm_publish": True}
    with app.connection_for_write() as connection, app.amqp.Producer(connection.channel()) as producer:
        before = producer.channel.basic_publish
        sender = bulk.Bulk(producer, TAG)
        sender.send(0, [(app.tasks["plain"], [], {}, {"queue": "bench.bulk"})] * 700)
        assert producer.channel.basic_publish == before == producer.channel.basic_publish_confirm
        queue = app.amqp.queues["bench.bulk"](producer.channel)
        assert queue.queue_declare(passive=True).message_count == 700


def close_in_time(wanted: dict[str, Any], got: dict[str, Any]) -> None:
    """A moment (when the task expires) is counted from when its message was built."""
    if wanted["expires"]:
        assert got["expires"][:16] == wanted["expires"][:16] or got["expires"] > wanted["expires"]
        got["expires"] = wanted["expires"]


def test_every_message_has_its_own_delivery_tag(app: Celery, broker: RunningBroker) -> None:
    """Redis keeps what is not acknowledged under that tag: two alike would overwrite each other."""
    if broker.is_amqp:
        pytest.skip("the server numbers the deliveries of AMQP itself")
    import redis

    with app.connection_for_write() as connection, app.amqp.Producer(connection.channel()) as producer:
        sender = bulk.Bulk(producer, TAG)
        sender.send(0, [(app.tasks["plain"], [], {}, {"queue": "bench.bulk"})] * sender.most)
    with redis.Redis.from_url(broker.url) as client:
        messages = [json.loads(raw) for raw in client.lrange("bench.bulk\x06\x163", 0, -1)]
    tags = {message["properties"]["delivery_tag"] for message in messages}
    assert len(tags) == len(messages) == sender.most
    assert {message["headers"]["bench_seq"] for message in messages} == set(range(sender.most))
