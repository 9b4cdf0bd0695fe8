"""``broker: app`` and ``results: app``: on somebody's own servers, and nothing of theirs is touched."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from kombu import Connection

from bench import jsonable, model
from bench.errors import EnvironmentFault
from bench.model import Broker, Load, Messages, TaskCall
from bench.run import session
from bench.run import trial as trials
from bench.run.apps import look
from bench.run.broker import Brokers

pytestmark = pytest.mark.real

APP = """\
from celery import Celery

app = Celery('theirs', broker={url!r}, backend={results!r})
app.conf.broker_transport_options = {{'visibility_timeout': 4321, 'global_keyprefix': 'prod:'}}
app.conf.result_backend_transport_options = {{'global_keyprefix': 'results:'}}

@app.task
def add(x, y):
    return x + y

@app.task
def calls():
    add.apply_async((1, 2), queue='celery')
"""
ADD = TaskCall(task="theirs.add", args=(2, 3))
OF_APP = Broker(of_app=True)
OWN_STORE = Messages(results="app")


@pytest.fixture(params=["valkey", "rabbitmq"])
def kind(request: pytest.FixtureRequest, needs: Any) -> str:
    needs(request.param)
    return str(request.param)


@pytest.fixture
def theirs(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts somebody's broker of a kind and writes their app; the current folder is theirs."""
    brokers = Brokers(bench.keeper, tmp_path, "theirs")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def start(kind: str = "valkey") -> Any:
        running = brokers.get(Broker(kind=kind))
        results = "rpc://" if kind == "rabbitmq" else running.url
        (folder / "theirs.py").write_text(APP.format(url=running.url, results=results))
        look.cache_clear()
        return running

    yield start
    brokers.stop()


def everything(url: str) -> dict[bytes, bytes | None]:
    with redis.Redis.from_url(url) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


def fill_redis(url: str) -> dict[bytes, bytes | None]:
    with redis.Redis.from_url(url) as client:
        client.set("theirs", "precious")
        client.set("celery-task-meta-1", "a result of theirs")
        client.lpush("celery", "a message of theirs", "another")
        client.hset("unacked", "tag", "unacknowledged")
        client.set("celery-bench:", "theirs, too")
        client.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    return everything(url)


@pytest.mark.parametrize("results", ["", "app", "broker"])
def test_on_somebodys_redis_everything_is_as_before(bench, theirs, results):
    url = theirs().url
    before = fill_redis(url)
    load = Load(shape="closed", tasks=40, clients=2) if results else None
    tasks = (ADD,) if results else (ADD, TaskCall(task="theirs.calls"))
    seen = set()

    def look_now(phase: str, completed: int) -> None:
        seen.update(everything(url))

    result, _ = bench.measure(
        *tasks, app="theirs", pool="threads", flood=None if results else 40, load=load, broker=OF_APP,
        messages=Messages(results=results), on_tick=look_now,
    )  # fmt: skip
    assert result.ok, result.reason + result.log_tail
    assert result.mismatches == ()
    assert everything(url) == before
    ours = {key.decode() for key in seen - before.keys()}
    assert any(key.startswith("prod:celery-bench:test:") for key in ours)
    kept = ("results:celery-bench:test:",) if results == "app" else ()
    assert all(key.startswith(("prod:celery-bench:test:", "celery-bench:test:", *kept)) for key in ours), ours


def test_on_somebodys_rabbitmq_a_queue_of_theirs_keeps_its_messages(bench, needs, theirs):
    needs("rabbitmq")
    url = theirs("rabbitmq").url
    with Connection(url) as connection:
        queue = connection.SimpleQueue("celery")
        for text in ("one", "two"):
            queue.put(text)
        result, _ = bench.measure(
            ADD, TaskCall(task="theirs.calls"), app="theirs", pool="threads", flood=40, broker=OF_APP
        )
        assert result.ok, result.reason + result.log_tail
        assert result.effective[0]["transport"] == "amqp"
        assert [queue.get(timeout=2).payload for _ in range(2)] == ["one", "two"]
        assert queue.qsize() == 0


def test_a_queue_of_ours_that_is_not_empty_is_refused(bench, theirs, monkeypatch, kind):
    """It cannot happen, as names are drawn; who wins against chance is told."""
    running = theirs(kind)
    drawn = UUID("12345678-1234-4234-8234-1234567890ab")
    monkeypatch.setattr(trials, "uuid4", lambda: drawn)
    name = f"bench.{str(drawn)[:24].rstrip('-')}"
    prefix = "" if kind == "rabbitmq" else "prod:celery-bench:test:"
    options = {"global_keyprefix": prefix} if prefix else {}
    with Connection(running.url, transport_options=options) as connection:
        queue = connection.SimpleQueue(name)
        queue.put("whose is this?")
        with pytest.raises(EnvironmentFault, match="already holds 1 message"):
            bench.measure(ADD, app="theirs", pool="threads", flood=10, broker=OF_APP)
        assert queue.get(timeout=2).payload == "whose is this?"
        queue.queue.delete()


def test_no_password_of_theirs_is_told_or_kept(bench, theirs):
    running = theirs()
    with redis.Redis.from_url(running.url) as client:
        client.config_set("requirepass", "hunter2")
    url = running.url.replace("//", "//:hunter2@")
    Path("theirs.py").write_text(APP.format(url=url, results=url))
    look.cache_clear()
    result, recording = bench.measure(ADD, app="theirs", pool="threads", flood=20, broker=OF_APP)
    assert result.ok, result.reason + result.log_tail
    assert "hunter2" not in str(result) + str(recording)
    cell = model.Cell(id="c", settings={}, setup=model.Setup(
        app="theirs", broker=OF_APP, workload=(ADD,), load=Load(tasks=1), messages=OWN_STORE))  # fmt: skip
    asked = model.Scenario(name="s", question="q", metric="throughput", repeats=1, cells=(cell,))
    assert "hunter2" not in str(jsonable.plain(asked))
    session.preflight([asked])
    running.stop()
    with pytest.raises(EnvironmentFault, match="where the app theirs keeps its own") as fault:
        session._check_results("theirs", cell.setup.variant, "")
    assert "hunter2" not in str(fault.value)
    with pytest.raises(EnvironmentFault, match="No broker answers") as fault:
        session.preflight([asked])
    assert "hunter2" not in str(fault.value)


def test_a_prefix_that_looks_like_a_pattern_means_just_itself(theirs):
    running = replace(theirs(), child=None, prefix="[prod]:")
    before = fill_redis(running.url)
    with redis.Redis.from_url(running.url) as client:
        client.set("p:", "theirs")
        client.set("[prod]:1", "ours")
        running.reset()
        assert client.get("p:") == b"theirs"
        client.delete("p:")
    assert everything(running.url) == before
