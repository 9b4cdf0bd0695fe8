"""Every shape of load on real workers: due when it should be, counted from when it was due."""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import analyse, pacing
from bench.model import Broker, Limits, Load, Messages, TaskCall

pytestmark = [pytest.mark.real, pytest.mark.alone]

PHASES = Load(
    shape="phases",
    phases=(
        Load(shape="constant", rate=40.0, duration=1.0),
        Load(shape="burst", tasks=60),
        Load(shape="ramp", rates=(20.0, 60.0), duration=1.0),
    ),
)


@pytest.mark.parametrize(
    "load",
    [
        Load(shape="poisson", rate=60.0, duration=1.5),
        Load(shape="steps", rates=(20.0, 80.0), duration=2.0),
        Load(shape="sine", rate=50.0, amplitude=40.0, period=1.0, duration=2.0),
        PHASES,
    ],
    ids=lambda load: load.shape,
)
def test_tasks_are_due_when_the_shape_says(bench: Any, load: Load) -> None:
    result, recording = bench.measure("noop", pool="threads", load=load, seed=3)
    assert result.ok, result.reason
    due = analyse.tasks(recording.events)["intended"].to_numpy()
    wanted = pacing.due_times(load, 3)
    assert due == pytest.approx(wanted - wanted[0], abs=1e-6)
    assert result.metrics["p50(lateness)"] < 0.02


def test_a_burst_waits_and_what_is_before_it_does_not(bench: Any, sleep: Any, fresh: Any) -> None:
    """60 at once on two slots of 10 ms: half of them have ended after 150 ms; those before do not wait."""

    def check() -> None:
        result, _ = bench.measure(sleep(0.01), pool="threads", load=PHASES)
        before, burst, after = (phase["metrics"] for phase in result.phases)
        assert [phase["tasks"] for phase in result.phases] == [40, 60, 40]
        assert 0.010 <= before["p50(response)"] <= 0.020
        assert 0.13 <= burst["p50(response)"] <= 0.25
        assert before["throughput"] == pytest.approx(40, rel=0.1)
        assert after["mean(response)"] > before["mean(response)"], "it inherits the backlog of the burst"

    fresh(check)


def test_a_stopped_loader_shows_in_the_response_and_loses_no_task(bench: Any, fresh: Any) -> None:
    """Stopped for 1 s of 6 s at 200/s: a sixth of all tasks come late, by half a second in the mean. A slow
    host, too, gets through what heaped up before half of all tasks have waited for it.
    """

    def check() -> None:
        stopper: list[threading.Thread] = []

        def on_tick(phase: str, completed: int) -> None:
            if phase == "load" and completed > 50 and not stopper:
                stopper.append(threading.Thread(target=stop_for_a_second))
                stopper[0].start()

        def stop_for_a_second() -> None:
            pid = loader_pid(bench.folder)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(1.0)
            os.kill(pid, signal.SIGCONT)

        result, _ = bench.measure("noop", rate=200.0, duration=6.0, on_tick=on_tick)
        stopper[0].join()
        assert result.ok, result.reason
        assert result.counts["published"] == 1200
        assert 0.9 <= result.metrics["p99(response)"] <= 1.5
        assert result.metrics["p90(response)"] >= 0.4, "as many as were due while it stood still"
        assert result.metrics["p50(response)"] < 0.1

    fresh(check)


def loader_pid(folder: Path) -> int:
    """The process that runs the loader of the only trial in ``folder``."""
    (path,) = folder.glob("*/events--1-*.bin")
    return int(path.stem.rpartition("-")[2])


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq"])
def test_clients_wait_for_each_result(bench: Any, sleep: Any, fresh: Any, needs: Any, kind: str) -> None:
    """Three clients, 20 ms tasks, plenty of slots: never more than three at once, so at most 150/s."""
    broker = needs(kind)

    def check() -> None:
        load = Load(shape="closed", clients=3, tasks=150)
        result, recording = bench.measure(
            sleep(0.02), pool="threads", concurrency=8, load=load, broker=broker
        )
        assert result.ok, result.reason + result.log_tail
        tasks = analyse.tasks(recording.events)
        assert not tasks["returned"].isna().any()
        out = np.concatenate([np.ones(len(tasks)), -np.ones(len(tasks))])
        at = np.concatenate([tasks["intended"].to_numpy(), tasks["returned"].to_numpy()])
        assert np.cumsum(out[np.lexsort((out, at))]).max() <= 3
        assert result.metrics["throughput"] <= 150
        assert result.metrics["p50(roundtrip)"] >= result.metrics["p50(response)"] >= 0.02
        assert result.metrics["p50(roundtrip)"] < 0.06

    fresh(check)


@pytest.mark.timeout(300)
def test_saturate_finds_the_rate_that_the_slots_sustain(bench: Any, sleep: Any, fresh: Any) -> None:
    """Two slots can do two tasks in the time that one takes, and sustain a little less than that."""

    def check() -> None:
        load = Load(shape="saturate", slo="p95(response) < 100ms", duration=1.0)
        result, _ = bench.measure(sleep(0.005), pool="threads", concurrency=2, load=load)
        assert result.search["outcome"] == "found", result.search
        able = 2 / result.metrics["mean(service)"]
        assert 0.8 * able <= result.metrics["capacity"] <= 1.02 * able
        assert result.search["lower"] <= result.metrics["capacity"] <= result.search["upper"]
        assert result.metrics["p95(response)"] < 0.1
        assert len(result.phases) == len(result.search["steps"])

    fresh(check)


def test_replay_publishes_the_file(bench: Any, tmp_path: Path) -> None:
    from bench.scenario import load as load_scenario

    trace = tmp_path / "trace.csv"
    rows = [f'{n / 50:.3f},{"io.sleep" if n % 4 else "noop"},"{kwargs(n)}"' for n in range(100)]
    trace.write_text("offset,task,kwargs\n" + "\n".join(rows) + "\n")
    (tmp_path / "s.yaml").write_text(
        "question: what did that minute feel like?\nworkers: {pool: threads, concurrency: 4}\n"
        "load: {shape: replay, file: trace.csv, speed: 2}\n"
    )
    setup = load_scenario(tmp_path / "s.yaml").cells[0].setup
    result, recording = bench.measure(*setup.workload, pool="threads", concurrency=4, load=setup.load)
    assert result.ok, result.reason
    tasks = analyse.tasks(recording.events)
    assert tasks["intended"].to_numpy() == pytest.approx(np.arange(100) / 100, abs=1e-6)
    names = [setup.workload[kind].task for kind in tasks["task"]]
    assert names == ["io.sleep" if n % 4 else "noop" for n in range(100)]


def kwargs(n: int) -> str:
    return '{""seconds"": 0.01}' if n % 4 else "{}"


def test_throughput_and_makespan_agree_with_the_broker(bench: Any, sleep: Any, fresh: Any) -> None:
    """An independent count: the broker announces every result that a worker stores, and we listen."""

    def check() -> None:
        kept = Messages(results="broker")
        with Announcements(bench.brokers.get(Broker()).url) as announced:
            result, recording = bench.measure(sleep(0.02), concurrency=2, flood=200, messages=kept)
        assert result.ok, result.reason
        tasks = analyse.tasks(recording.events)
        start = int(recording.events["t_ns"][recording.events["kind"] == 1].min())
        ours = announced.of_the_largest_family()
        seen = np.sort([t - start for t in ours if t > start]) / 1e9
        assert seen.size == len(tasks) == 200
        assert seen[-1] == pytest.approx(result.metrics["makespan"], rel=0.01)
        inside = seen[(seen >= result.steady["start"]) & (seen <= result.steady["end"])]
        theirs = (inside.size - 2) / (inside[-2:].mean() - inside[:2].mean())
        assert theirs == pytest.approx(result.metrics["throughput"], rel=0.01)

    fresh(check)


class Announcements:
    """When the broker announced which stored result: monotonic nanoseconds and the key."""

    def __init__(self, url: str) -> None:
        import redis

        self.seen: list[tuple[int, bytes]] = []
        self._client = redis.Redis.from_url(url)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        with self._client.pubsub() as channel:
            channel.psubscribe("celery-task-meta-*")
            while not self._over.is_set():
                message = channel.get_message(timeout=0.05)
                if message and message["type"] == "pmessage":
                    self.seen.append((time.monotonic_ns(), message["channel"]))

    def of_the_largest_family(self) -> list[int]:
        """Times of the keys that begin alike, as all ids of a trial do; one message only opens the gate."""
        families = Counter(key[:-12] for _, key in self.seen)
        family, _ = families.most_common(1)[0]
        return [t for t, key in self.seen if key[:-12] == family]

    def __enter__(self) -> "Announcements":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.2)
        self._over.set()
        self._thread.join()
        self._client.close()


def test_task_calls_of_a_mix_are_sent_as_asked(bench: Any) -> None:
    """Exactly proportional, in bulk and paced: three kinds, told apart in the events."""
    mix = [TaskCall(task="noop", weight=3), TaskCall(task="fail", weight=1)]
    for load in (Load(tasks=80), Load(shape="constant", rate=200.0, duration=0.4)):
        result, recording = bench.measure(*mix, pool="threads", load=load)
        assert result.counts["failed"] == 20
        assert analyse.tasks(recording.events)["task"].value_counts().to_dict() == {0: 60, 1: 20}


def test_more_clients_than_slots_wait_longer_than_the_stall_limit(bench: Any, sleep: Any) -> None:
    """One client may wait for long while tasks go on ending: that is no stall."""
    load = Load(shape="closed", clients=12, tasks=24)
    limits = Limits(stall=1.0)
    result, _ = bench.measure(sleep(0.4), pool="threads", concurrency=2, load=load, limits=limits)
    assert result.ok, result.reason
    assert result.metrics["max(roundtrip)"] > 2 * limits.stall


def test_the_first_calls_of_clients_do_not_connect(bench: Any, sleep: Any, fresh: Any) -> None:
    def check() -> None:
        load = Load(shape="closed", clients=10, tasks=100)
        _, recording = bench.measure(sleep(0.05), pool="threads", concurrency=10, load=load)
        tasks = analyse.tasks(recording.events)
        took = (tasks["returned"] - tasks["intended"]).to_numpy()
        assert np.median(took[:10]) < 1.5 * np.median(took[10:])

    fresh(check)
