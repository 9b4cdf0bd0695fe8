"""Each key of ``workers:`` has its effect, seen in the worker: in its events, its processes, its messages."""

import base64
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from bench import analyse
from bench.events import FAILURE, STARTED, WORKER_LOST
from bench.model import TaskCall, Workers

pytestmark = pytest.mark.real

CORE = max(os.sched_getaffinity(0))
HOLD = TaskCall(task="memory.hold", kwargs={"mib": 200})


def pids(recording):
    """Who started tasks, in the order of the tasks' starts."""
    events = recording.events
    return events[events["kind"] == STARTED]["pid"].tolist()


def ran(bench, *tasks, **workers):
    """A trial of one group of workers that must go well, and as asked for."""
    more = {k: workers.pop(k) for k in ("flood", "on_tick", "broker", "limits") if k in workers}
    result, recording = bench.measure(*tasks, fleet=(Workers(**workers),), **more)
    assert result.ok, result.reason + result.log_tail
    assert result.mismatches == ()
    return result, recording


@pytest.mark.alone
@pytest.mark.parametrize(
    ("knobs", "most"),
    [
        ({"prefetch": 1}, 4),
        ({"prefetch": 3}, 8),
        ({"prefetch": 0}, 30),
        ({"prefetch": 4, "disable_prefetch": True}, 2),
        ({"prefetch": 3, "pool": "threads"}, 8),
    ],
)
def test_prefetch_is_what_a_node_holds(bench, sleep, held, knobs, most):
    """Two slots; of early acknowledged tasks those that run come on top of the prefetch count."""
    left = bench.look(lambda: sum(len(messages) for messages in bench.waiting().values()))
    _, recording = ran(bench, sleep(0.05), flood=30, on_tick=left, **knobs)
    assert held(recording) == most
    assert (left.saw == 0) == (knobs["prefetch"] == 0), "only unlimited prefetching empties the queue"


@pytest.mark.alone
def test_autoscale_grows_the_pool(bench, sleep):
    result, recording = ran(bench, sleep(0.2), concurrency=3, autoscale_from=1, flood=15)
    assert result.effective[0]["autoscale"] == [1, 3]
    assert len(set(pids(recording))) == 3


def test_auto_takes_the_cores_it_may_use(bench, sleep):
    result, recording = ran(bench, sleep(0.05), auto=True, concurrency=1, cpus=(CORE,), flood=20)
    assert result.effective[0]["concurrency"] == 1
    assert len(set(pids(recording))) == 1


def test_children_are_replaced_after_n_tasks(bench, sleep):
    _, recording = ran(bench, sleep(0.02), max_tasks_per_child=5, flood=40)
    by = [pids(recording).count(pid) for pid in set(pids(recording))]
    assert max(by) <= 5
    assert len(by) >= 8


def test_a_child_is_replaced_when_it_has_grown(bench, sleep):
    """By one of the three large tasks, after which it runs nothing more."""
    _, recording = ran(bench, sleep(0.05, weight=5), HOLD, max_memory_per_child=150 * 2**20, flood=18)
    table = analyse.tasks(recording.events).sort_values("started")
    ran_by = [own["task"].tolist() for _, own in table.groupby("pid")]
    assert all(1 not in kinds[:-1] for kinds in ran_by)
    assert max(len(kinds) for kinds in ran_by) > 1


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_how_a_child_is_started(bench, sleep, how):
    lines = bench.look(lambda: [" ".join(child.cmdline()) for child in bench.children()])
    _, recording = ran(bench, sleep(0.1), pool_start_method=how, flood=10, on_tick=lines)
    assert len(lines.saw) == 2
    assert ["billiard" in line for line in lines.saw] == [how == "spawn"] * 2
    assert len(set(pids(recording))) == 2, "both children tell what they run"


def semaphores():
    """Files of named semaphores, of whoever they are."""
    return set(Path("/dev/shm").glob("sem.mp-*"))


def test_spawned_children_leave_no_semaphore_and_nobody_elses_is_taken(bench, sleep):
    theirs = multiprocessing.get_context("spawn").Lock()
    before = semaphores()
    ours = bench.look(lambda: semaphores() - before)
    ran(bench, sleep(0.1), pool_start_method="spawn", flood=10, on_tick=ours)
    assert len(ours.saw) == 2
    assert semaphores() & ours.saw == set()
    assert Path(f"/dev/shm/sem.{theirs._semlock.name.lstrip('/')}").exists()


def test_a_soft_limit_interrupts_a_task_and_a_hard_one_ends_its_child(bench, sleep):
    quick, long = sleep(0.01), sleep(20.0)
    soft, of_soft = ran(bench, quick, long, concurrency=1, soft_time_limit=0.5, flood=2)
    hard, of_hard = ran(bench, quick, long, concurrency=1, time_limit=1.0, flood=2)
    for result, recording, limit, state in (
        (soft, of_soft, 0.5, FAILURE),
        (hard, of_hard, 1.0, WORKER_LOST),
    ):
        table = analyse.tasks(recording.events)
        late = table[table["task"] == 1].iloc[0]
        assert result.counts["failed"] == 1
        assert late["state"] == state
        assert limit <= late["ended"] - late["started"] < limit + 2


def test_a_hard_limit_on_gevent(bench, sleep):
    result, recording = ran(bench, sleep(20.0), pool="gevent", concurrency=5, time_limit=0.5, flood=10)
    table = analyse.tasks(recording.events)
    assert result.counts["failed"] == 10
    assert (table["ended"] - table["started"]).between(0.45, 2).all()


def test_cores_and_environment(bench, sleep):
    def look():
        return [(p.cpu_affinity(), p.environ().get("KNOB")) for p in (bench.nodes()[0], *bench.children())]

    seen = bench.look(look)
    ran(bench, sleep(0.1), cpus=(CORE,), env={"KNOB": "turned"}, flood=10, on_tick=seen)
    assert seen.saw == [([CORE], "turned")] * 3


class Listener:
    """What is said on a Valkey's channels while a trial runs, and how many patterns are listened to."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._channels: Any = None
        self.listening = 0
        self.said: list[tuple[str, Any]] = []

    def __call__(self, *_: Any) -> None:
        with self._bench.client() as client:
            if self._channels is None:
                self._channels = client.pubsub()
                self._channels.psubscribe("*")
            self.listening = max(self.listening, sum(int(c["psub"]) for c in client.client_list()))
        while (message := self._channels.get_message()) is not None:
            if message["type"] == "pmessage":
                body = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
                self.said += [(message["channel"].decode(), each) for each in _many(body)]

    def close(self) -> None:
        self._channels.close()

    def all(self, key: str, value: str) -> list[dict[str, Any]]:
        return [each for _, each in self.said if each.get(key) == value]


def _many(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def test_what_workers_say_to_each_other(bench, sleep):
    """Events of tasks; signs of life, which carry their own interval; mingling says hello; gossip listens."""
    talking, silent = Listener(bench), Listener(bench)
    said = {"events": True, "gossip": True, "mingle": True, "heartbeat": 1.0}
    for listener, knobs in ((talking, said), (silent, {"heartbeat": 0.0})):
        ran(bench, sleep(0.25), nodes=2, concurrency=1, flood=12, on_tick=listener, **knobs)
        listener.close()
    received = {each["uuid"] for each in talking.all("type", "task-received") if each["name"] == "io.sleep"}
    assert len(received) == 12 + 2 * 2, "the load and the warm-up"
    assert {each["freq"] for each in talking.all("type", "worker-heartbeat")} == {1.0}
    assert len(talking.all("method", "hello")) == 2
    assert {each.get("method") for _, each in silent.said} == {"add_consumer"}
    assert talking.listening - silent.listening == 2, "one more in each node"
