"""Brokers besides the private Valkey: managed ones where installed, and somebody else's."""

import pytest
import redis
from kombu.connection import Connection

from bench.errors import EnvironmentFault
from bench.model import Broker, Limits
from bench.run.broker import Brokers
from bench.run.process import free_port

pytestmark = pytest.mark.real


def test_managed_redis(bench, sleep, needs):
    result, _ = bench.measure(sleep(0.01), flood=40, broker=needs("redis"))
    assert result.ok, result.reason


def test_managed_rabbitmq(bench, sleep, needs):
    result, _ = bench.measure(sleep(0.01), flood=40, prefetch=2, broker=needs("rabbitmq"))
    assert result.ok, result.reason
    assert result.effective[0]["transport"] == "amqp"
    assert result.effective[0]["prefetch_count"] == 4
    assert result.resources["broker"]["memory"] > 50 * 2**20


def test_a_missing_server_skips_here_and_fails_in_ci(needs, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not installed: redis-server"):
        needs("redis")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="not installed: redis-server"):
        needs("redis")


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


def test_nothing_of_ours_stays_on_somebody_elses_rabbitmq(bench, sleep, needs):
    url = bench.brokers.get(needs("rabbitmq")).url
    result, _ = bench.measure(sleep(0.01), pool="threads", flood=40, broker=Broker(url=url))
    assert result.ok, result.reason
    warm = result.effective[0]["queues"][0]
    queue = warm.removesuffix(".warm0")
    with Connection(url) as connection:
        for name in (queue, warm):
            with connection.channel() as channel, pytest.raises(connection.channel_errors):
                channel.queue_declare(name, passive=True)
        for name in (queue, warm, f"{queue}.pidbox", f"reply.{queue}.pidbox", f"{queue}.ev"):
            with connection.channel() as channel, pytest.raises(connection.channel_errors):
                channel.exchange_declare(name, "direct", passive=True)


def test_somebody_elses_broker_that_goes_away_is_a_failed_trial_and_then_no_broker(bench, sleep, tmp_path):
    brokers = Brokers(bench.keeper, tmp_path, "gone")
    theirs = brokers.get(Broker())
    url = theirs.url.replace("//", "//:hunter2@")

    def kill(phase, completed):
        if phase == "load" and completed >= 5:
            theirs.stop()

    try:
        result, _ = bench.measure(sleep(0.05), flood=200, broker=Broker(url=theirs.url), on_tick=kill,
                                  limits=Limits(stall=3.0))  # fmt: skip
        assert result.outcome == "failed"
        assert result.reason == f"the broker at {theirs.url} does not answer any more"
        with pytest.raises(EnvironmentFault, match="No broker answers") as fault:
            bench.measure(sleep(0.05), flood=10, broker=Broker(url=url))
        assert "hunter2" not in str(fault.value)
    finally:
        brokers.stop()
