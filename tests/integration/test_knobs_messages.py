"""Each key of ``messages:`` has its effect, on the wire and where results are kept."""

import base64
import bz2
import json
import lzma
import pickle
import sqlite3
import zlib

import msgpack
import pytest
import yaml

from bench.model import Broker, Load, Messages, TaskCall
from bench.run.trial import RESULT_SERVER

pytestmark = pytest.mark.real

SLOW = TaskCall(task="io.sleep", kwargs={"seconds": 0.1})
READ = {"json": json.loads, "msgpack": msgpack.unpackb, "pickle": pickle.loads, "yaml": yaml.safe_load}
OPEN = {
    "gzip": ("application/x-gzip", zlib.decompress),  # so kombu calls zlib's
    "bzip2": ("application/x-bz2", bz2.decompress),
    "lzma": ("application/x-lzma", lzma.decompress),
}


def first(waiting):
    """One of the messages that wait: its content type, its headers, and its body as it was sent."""
    message = next(messages[0] for messages in waiting.values() if messages)
    return message["content-type"], message["headers"], base64.b64decode(message["body"])


@pytest.mark.parametrize("serializer", READ)
def test_the_serializer_is_that_of_the_message_and_of_the_result(bench, serializer):
    def look():
        with bench.client() as client:
            return bench.waiting(), client.get(client.keys("celery-task-meta-*")[0])

    seen = bench.look(look)
    result, _ = bench.measure(SLOW, flood=40, prefetch=1, on_tick=seen,
                              messages=Messages(serializer=serializer, results="broker"))  # fmt: skip
    assert result.ok, result.reason
    assert result.counts["completed"] == 40
    waiting, kept = seen.saw
    content_type, _, body = first(waiting)
    assert serializer in content_type or content_type == "application/x-python-serialize"
    args, kwargs, _ = READ[serializer](body)
    assert (list(args), kwargs) == ([], {"seconds": 0.1})
    assert READ[serializer](kept)["status"] == "SUCCESS"


@pytest.mark.parametrize("compression", OPEN)
def test_the_compression_is_that_of_the_message(bench, compression):
    heavy = TaskCall(task="noop", payload=50_000)
    seen = bench.look(bench.waiting, after=0)
    result, _ = bench.measure(heavy, SLOW, flood=60, prefetch=1, on_tick=seen,
                              messages=Messages(compression=compression))  # fmt: skip
    assert result.ok, result.reason
    sizes = [len(base64.b64decode(m["body"])) for messages in seen.saw.values() for m in messages]
    _, headers, body = first(seen.saw)
    name, decompress = OPEN[compression]
    assert headers["compression"] == name
    assert len(json.loads(decompress(body))) == 3
    assert 0 < max(sizes) < 40_000


def test_payload_and_reply_are_as_large_as_asked(bench):
    """The records that travel along in JSON, and the text that comes back."""

    def look():
        with bench.client() as client:
            kept = [len(client.get(key)) for key in client.keys("celery-task-meta-*")]
        return bench.waiting(), kept

    seen = bench.look(look, after=5)
    calls = TaskCall(task="noop", kwargs={"reply": 2000}, payload=20_000, rate_limit="20/s")
    result, _ = bench.measure(calls, flood=60, prefetch=1, on_tick=seen, messages=Messages(results="broker"))
    assert result.ok, result.reason
    waiting, kept = seen.saw
    assert 20_000 < len(first(waiting)[2]) < 22_000
    assert 2_000 < max(kept) < 2_500


def keys_of(bench, broker):
    with bench.client(broker) as client:
        return [key.decode() for key in client.scan_iter("celery-task-meta-*")]


@pytest.mark.parametrize(
    ("results", "backend", "on_broker", "on_server", "in_file"),
    [
        ("ignored", "DisabledBackend", False, False, False),
        ("broker", "RedisBackend", True, False, False),
        ("server", "RedisBackend", False, True, False),
        ("URL", "RedisBackend", False, True, False),
        ("rpc", "RPCBackend", False, False, False),
        ("sql", "DatabaseBackend", False, False, True),
    ],
)
def test_results_are_where_they_should_be(bench, results, backend, on_broker, on_server, in_file):
    if results == "URL":
        results = bench.brokers.get(RESULT_SERVER).url

    def look():
        (folder,) = bench.folder.glob("t*/")
        server = keys_of(bench, RESULT_SERVER) if on_server else []
        return keys_of(bench, Broker()), server, rows(folder / "results.sqlite")

    seen = bench.look(look, after=4)
    result, _ = bench.measure(SLOW, flood=12, prefetch=1, on_tick=seen, messages=Messages(results=results))
    assert result.ok, result.reason
    assert result.effective[0]["backend"] == backend
    assert [len(found) > 0 for found in seen.saw] == [on_broker, on_server, in_file]


def rows(path):
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        found = database.execute("select status from celery_taskmeta").fetchall()
    database.close()
    return found


@pytest.mark.parametrize("results", ["", "server", "rpc", "sql"])
def test_clients_get_their_results_from_there(bench, results):
    closed = Load(shape="closed", tasks=12, clients=3)
    result, _ = bench.measure(SLOW, pool="threads", concurrency=3, load=closed,
                              messages=Messages(results=results))  # fmt: skip
    assert result.ok, result.reason
    assert result.metrics["mean(roundtrip)"] >= 0.1


@pytest.mark.parametrize("results", ["broker", "rpc"])
def test_clients_get_their_results_over_rabbitmq(bench, needs, results):
    closed = Load(shape="closed", tasks=12, clients=3)
    result, _ = bench.measure(SLOW, pool="threads", concurrency=3, load=closed, broker=needs("rabbitmq"),
                              messages=Messages(results=results, serializer="msgpack"))  # fmt: skip
    assert result.ok, result.reason
    assert result.effective[0]["backend"] == "RPCBackend"
    assert result.metrics["mean(roundtrip)"] >= 0.1
