"""What is put in must come out: known delays, known failures, known contention."""

from statistics import median

import pytest

from bench import analyse
from bench.model import TaskCall

pytestmark = [pytest.mark.real, pytest.mark.alone]


def test_prefork_two_slots_of_50_ms(bench, sleep, fresh):
    def check():
        result, _ = bench.measure(sleep(0.05), concurrency=2, flood=120)
        assert 0.050 <= result.metrics["p50(service)"] <= 0.053
        assert 36 <= result.metrics["throughput"] <= 40

    fresh(check)


def test_gevent_twenty_slots_of_50_ms(bench, sleep, fresh):
    def check():
        result, _ = bench.measure(sleep(0.05), pool="gevent", concurrency=20, flood=600)
        assert result.metrics["throughput"] >= 300
        assert result.metrics["throughput"] <= 400  # twenty slots of 50 ms cannot do more

    fresh(check)


def test_a_process_pool_spins_on_two_cores_and_threads_on_one(bench, fresh):
    spin = TaskCall(task="cpu.spin", kwargs={"ms": 10})

    def check():
        prefork, _ = bench.measure(spin, pool="prefork", concurrency=2, flood=200)
        threads, _ = bench.measure(spin, pool="threads", concurrency=2, flood=200)
        assert prefork.metrics["throughput"] >= 1.6 * threads.metrics["throughput"]

    fresh(check)


def test_hashing_releases_the_gil(bench, fresh):
    hashing = TaskCall(task="cpu.hash", kwargs={"mib": 32})  # long, so that Celery's own GIL time is little

    def check():
        threads, _ = bench.measure(hashing, pool="threads", concurrency=2, flood=60)
        solo, _ = bench.measure(hashing, pool="solo", concurrency=1, flood=60)
        assert threads.metrics["throughput"] >= 1.5 * solo.metrics["throughput"]

    fresh(check)


def test_spin_takes_as_long_as_it_says_on_an_idle_core(bench, fresh):
    def check():
        bench.calibrate()
        result, _ = bench.measure(
            TaskCall(task="cpu.spin", kwargs={"ms": 20}), pool="solo", concurrency=1, flood=50
        )
        assert 0.018 <= result.metrics["p50(service)"] <= 0.030

    fresh(check)


def test_a_deep_prefetch_hoards_behind_long_tasks(bench, sleep, fresh):
    """Two nodes of one slot, one long task among ten: the node that holds it also holds short ones."""

    def run(prefetch):
        return bench.measure(
            sleep(0.02, weight=9), sleep(1.0, weight=1), concurrency=1, nodes=2, prefetch=prefetch, flood=60
        )

    def check():
        shallow, _ = run(1)
        deep, recording = run(16)
        assert deep.metrics["mean(prefetch_wait)"] > 3 * shallow.metrics["mean(prefetch_wait)"]
        assert deep.metrics["makespan"] > 1.15 * shallow.metrics["makespan"]
        tasks = analyse.tasks(recording.events)
        last = [group["ended"].max() for _, group in tasks.groupby("node")]
        assert len(last) == 2
        assert max(last) - min(last) > 0.5, "one lane should stand idle while the other works off its hoard"

    fresh(check)


def test_known_failures_are_counted(bench):
    result, _ = bench.measure(
        TaskCall(task="noop", weight=8), TaskCall(task="fail", weight=2), pool="threads", flood=100
    )
    assert result.ok
    assert result.counts["failed"] == 20
    assert result.counts["completed"] == 80
    assert result.metrics["failed"] == 20


def test_http_waits_as_long_as_the_server(bench, fresh):
    def check():
        result, _ = bench.measure(
            TaskCall(task="io.http", kwargs={"seconds": 0.1}), pool="gevent", concurrency=10, flood=100
        )
        assert 0.1 <= result.metrics["p50(service)"] <= 0.13

    fresh(check)


def test_a_constant_rate_keeps_its_schedule(bench, sleep, fresh):
    def check():
        result, recording = bench.measure(sleep(0.005), concurrency=2, rate=50.0, duration=4.0)
        assert result.metrics["throughput"] == pytest.approx(50, rel=0.05)
        assert result.metrics["p50(lateness)"] < 0.005
        tasks = analyse.tasks(recording.events)
        due = tasks["intended"].to_numpy()
        assert due == pytest.approx([n / 50 for n in range(200)], abs=1e-6)
        assert median(tasks["ended"] - tasks["intended"]) < 0.05

    fresh(check)


def test_waits_add_up_to_the_response(bench, sleep):
    _, recording = bench.measure(sleep(0.01), concurrency=2, rate=50.0, duration=2.0)
    spans = analyse.durations(analyse.tasks(recording.events))
    parts = spans["lateness"] + spans["broker_wait"] + spans["prefetch_wait"] + spans["service"]
    assert parts == pytest.approx(spans["response"], abs=1e-6)


def test_memory_of_the_pool_is_seen(bench):
    held = TaskCall(task="memory.hold", kwargs={"mib": 100, "seconds": 1.5})
    result, _ = bench.measure(held, concurrency=2, flood=4)
    assert result.metrics["memory"] > 200 * 2**20
    assert result.metrics["memory"] < 420 * 2**20


def test_cpu_of_the_pool_is_seen(bench, fresh):
    def check():
        bench.calibrate()
        result, _ = bench.measure(TaskCall(task="cpu.spin", kwargs={"ms": 20}), concurrency=2, flood=150)
        assert 0.018 <= result.metrics["cpu_per_task"] <= 0.035

    fresh(check)


def test_mixed_computes_and_waits(bench, fresh):
    def check():
        bench.calibrate()
        task = TaskCall(task="mixed", kwargs={"cpu_ms": 10, "io_seconds": 0.03})
        result, _ = bench.measure(task, pool="solo", concurrency=1, flood=60)
        assert 0.039 <= result.metrics["p50(service)"] <= 0.055
        assert 0.009 <= result.metrics["cpu_per_task"] <= 0.020

    fresh(check)
