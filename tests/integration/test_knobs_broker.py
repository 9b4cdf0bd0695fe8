"""Each key of ``broker:`` has its effect on the server; RabbitMQ and Redis where they are installed."""

import json

import pytest
from kombu import Connection, Exchange, Queue

from bench.events import SENT
from bench.model import Broker, Delivery, Messages, TaskCall

pytestmark = pytest.mark.real

SLOW = TaskCall(task="io.sleep", kwargs={"seconds": 0.1})


@pytest.mark.parametrize("kind", ["valkey", "redis"])
@pytest.mark.parametrize("persistent", [True, False])
def test_persistent_means_that_every_message_is_written_to_disk(bench, needs, kind, persistent):
    broker = needs(kind, persistent=persistent)

    def look():
        with bench.client(broker) as client:
            info = client.info("persistence")
            return client.config_get("appendonly")["appendonly"], info.get("aof_current_size", 0)

    seen = bench.look(look)
    result, _ = bench.measure(SLOW, flood=10, broker=broker, on_tick=seen)
    assert result.ok, result.reason
    assert (seen.saw[0], seen.saw[1] > 0) == ("yes" if persistent else "no", persistent)


def test_options_reach_kombus_transport(bench):
    """On both sides: the loader publishes under the prefix, the workers find it there."""
    broker = Broker(options={"global_keyprefix": "mine:"})
    seen = bench.look(lambda: bench.waiting(broker))
    result, _ = bench.measure(SLOW, flood=50, prefetch=1, broker=broker, on_tick=seen)
    assert result.ok, result.reason
    assert seen.saw
    assert all(key.startswith("mine:bench.") for key in seen.saw)


def test_the_pool_limit_is_how_many_connections_stay_open(bench):
    """Without a pool each result that is sent back over the broker takes a connection of its own."""

    def connections(limit):
        broker = Broker(pool_limit=limit)
        counted = []

        def look(phase, completed):
            with bench.client(broker) as client:
                counted.append(client.info("stats")["total_connections_received"])

        result, _ = bench.measure(SLOW, pool="threads", concurrency=4, flood=40, broker=broker, on_tick=look,
                                  messages=Messages(results="rpc"))  # fmt: skip
        assert result.ok, result.reason
        return counted[-1] - counted[0] - len(counted)

    assert connections(0) > connections(2) + 30


def rabbit(bench, broker):
    """A connection to the RabbitMQ of the trial that runs now."""
    return Connection(bench.brokers._running[broker.server].url)


def of_trial(bench):
    """The name of the queue of the trial that runs now."""
    (path,) = bench.folder.glob("t*/ready-0.json")
    return json.loads(path.read_text())["queues"][0].removesuffix(".warm0")


def declares(connection, name, arguments):
    """Whether the queue is what these arguments describe; RabbitMQ refuses to declare it as another."""
    with connection.channel() as channel:
        try:
            Queue(name, Exchange(name), name, queue_arguments=arguments, channel=channel).queue_declare()
        except connection.channel_errors as error:
            assert "inequivalent arg" in str(error)
            return False
    return True


KINDS = {
    "classic": {},
    "quorum": {"x-queue-type": "quorum"},
    "priorities": {"x-max-priority": 5},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_is_of_the_kind_that_was_asked_for(bench, needs, kind):
    broker = needs("rabbitmq", queue="quorum" if kind == "quorum" else "classic")

    def look():
        name = of_trial(bench)
        with rabbit(bench, broker) as connection:
            return {
                (other, queue.removeprefix(name)): declares(connection, queue, arguments)
                for other, arguments in KINDS.items()
                for queue in (name, f"{name}.warm0")
            }

    seen = bench.look(look)
    delivery = Delivery(max_priority=5 if kind == "priorities" else None)
    result, _ = bench.measure(SLOW, flood=10, broker=broker, on_tick=seen, delivery=delivery)
    assert result.ok, result.reason
    assert result.mismatches == ()
    assert seen.saw == {(other, queue): other == kind for other in KINDS for queue in ("", ".warm0")}


@pytest.mark.alone
@pytest.mark.parametrize(("persistent", "mode"), [(None, 2), (True, 2), (False, 1)])
def test_the_delivery_mode_of_rabbitmqs_messages(bench, needs, persistent, mode):
    broker = needs("rabbitmq", persistent=persistent)

    def look():
        with rabbit(bench, broker) as connection, connection.channel() as channel:
            message = channel.basic_get(of_trial(bench), no_ack=False)
            return message.properties["delivery_mode"]  # it goes back when the channel is closed

    seen = bench.look(look)
    result, _ = bench.measure(SLOW, prefetch=1, flood=50, broker=broker, on_tick=seen)
    assert result.ok, result.reason
    assert seen.saw == mode


@pytest.mark.alone
def test_a_quorum_queue_has_a_fast_flood_and_its_prefetch_count(bench, needs, held, fresh):
    def check():
        result, recording = bench.measure("noop", pool="threads", prefetch=3, flood=3000,
                                          broker=needs("rabbitmq", queue="quorum"))  # fmt: skip
        assert result.ok, result.reason
        assert result.effective[0]["prefetch_count"] == held(recording) == 6
        sent = recording.events[recording.events["kind"] == SENT]["t_ns"]
        assert 3000 / (sent.max() - sent.min()) * 1e9 > 3000  # one by one it were about 1 200

    fresh(check)
