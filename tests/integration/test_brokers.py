"""Brokers besides the private Valkey: managed ones where installed, and somebody else's."""

import shutil

import pytest
import redis

from bench.model import Broker
from bench.run.broker import Brokers
from bench.run.process import free_port

pytestmark = pytest.mark.real


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
def test_managed_redis(bench, sleep):
    result, _ = bench.measure(sleep(0.01), flood=40, broker=Broker(kind="redis"))
    assert result.ok, result.reason


@pytest.mark.skipif(not shutil.which("rabbitmq-server"), reason="rabbitmq-server is not installed")
@pytest.mark.skipif(not shutil.which("epmd"), reason="Erlang's port mapper is not installed")
def test_managed_rabbitmq(bench, sleep):
    result, _ = bench.measure(sleep(0.01), flood=40, prefetch=2, broker=Broker(kind="rabbitmq"))
    assert result.ok, result.reason
    assert result.effective[0]["transport"] == "amqp"
    assert result.effective[0]["prefetch_count"] == 4
    assert result.resources["broker"]["memory"] > 50 * 2**20


def test_a_broker_that_is_not_ours_is_never_flushed(bench, sleep, tmp_path):
    brokers = Brokers(bench.keeper, tmp_path, "other")
    foreign = brokers.get(Broker())
    try:
        with redis.Redis.from_url(foreign.url) as client:
            client.set("theirs", "precious")
            client.lpush("celery", "a message of theirs")
            before = sorted(client.keys())
            result, _ = bench.measure(sleep(0.01), pool="threads", flood=40, broker=Broker(url=foreign.url))
            assert result.ok, result.reason
            assert sorted(client.keys()) == before
            assert client.get("theirs") == b"precious"
    finally:
        brokers.stop()


def test_two_managed_brokers_do_not_share_a_port(bench, tmp_path):
    brokers = Brokers(bench.keeper, tmp_path, "two")
    try:
        first = brokers.get(Broker())
        second = brokers.get(Broker(port=free_port()))
        assert first.url != second.url
        assert brokers.get(Broker()) is first
    finally:
        brokers.stop()
