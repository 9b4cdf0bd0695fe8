"""The servers that tasks talk to: as slow, as unreliable and as unwilling as they are asked to be."""

import http.client
import smtplib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from bench.workloads.catalogue import TASKS

from bench.errors import EnvironmentFault
from bench.model import Cell, Load, Setup, TaskCall, Trial, Workers
from bench.run import services
from bench.run.counterparts import Wish
from bench.run.keeper import Keeper


def trial(*tasks: str, app: str = "") -> Trial:
    setup = Setup(
        app=app,
        fleet=(Workers(pool="solo", concurrency=1),),
        workload=tuple(TaskCall(task=task) for task in tasks),
        load=Load(shape="flood", tasks=1),
    )
    return Trial(
        id="t", scenario="s", cell=Cell(id="c", settings={}, setup=setup), block=1, position=1, seed=1
    )


@pytest.fixture
def served(tmp_path: Any) -> Iterator[services.Services]:
    with Keeper() as keeper:
        own = services.Services(keeper, tmp_path)
        yield own
        own.stop()
        assert all(child.exit_status is not None for child in own._running.values())


def test_a_wish_is_drawn_from_its_key():
    asked = "seconds=0.1&jitter=0.2&errors=0.3&key="
    wishes = [Wish(f"{asked}{n}") for n in range(1000)]
    assert [w.delay for w in wishes] == [Wish(f"{asked}{n}").delay for n in range(1000)]
    assert 0.1 <= min(w.delay for w in wishes) < 0.11
    assert 0.29 < max(w.delay for w in wishes) < 0.3
    assert 250 <= sum(w.status == 503 for w in wishes) <= 350
    plain = Wish("seconds=0.1")
    assert (plain.delay, plain.status) == (0.1, 200)


@pytest.mark.parametrize("query", ["", "seconds=much", "jitter=1", "seconds=1&errors=often"])
def test_a_wish_that_cannot_be_understood_is_none(query):
    with pytest.raises((KeyError, ValueError)):
        Wish(query)


def test_the_api_waits_fails_and_counts(served):
    address = served.needed_by(trial("http.call"))["CELERY_BENCH_HTTP_URL"].removeprefix("http://")

    def get(query: str) -> int:
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", f"/?{query}")
        status = connection.getresponse().status
        connection.close()
        return status

    begin = time.monotonic()
    assert get("seconds=0.1") == 200
    assert time.monotonic() - begin >= 0.1
    assert get("seconds=0&errors=1") == 503
    assert get("nonsense") == 400
    assert served.counts(services.HTTP) == {"200": 1, "503": 1, "400": 1}


def test_mail_is_taken_or_refused_as_asked_and_counted(served, monkeypatch):
    env = served.needed_by(trial("mail.send"))
    monkeypatch.setenv("CELERY_BENCH_SMTP", env["CELERY_BENCH_SMTP"])
    assert TASKS["mail.send"](kib=2, refusals=0.0) > 2048
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        TASKS["mail.send"](refusals=1.0)
    assert refusal.value.smtp_code == 451
    assert served.counts(services.SMTP) == {"accepted": 1, "refused": 1}


def test_only_what_a_trial_needs_is_started_and_once(served):
    assert served.needed_by(trial("noop")) == {}
    assert served.needed_by(trial("mail.send", "csv.import", app="their.app")) == {}, "these are not ours"
    assert served.pids() == ()
    both = served.needed_by(trial("http.call", "io.http", "mail.send"))
    assert set(both) == {"CELERY_BENCH_HTTP_URL", "CELERY_BENCH_SMTP"}
    assert served.needed_by(trial("http.call", "mail.send")) == both
    assert len(served.pids()) == 2


def test_each_slot_computes_on_one_core_unless_told_otherwise(served, monkeypatch):
    for name in services.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert served.needed_by(trial("inference")) == {
        "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "3",
    }  # fmt: skip


def test_to_look_at_a_database_changes_nothing(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/theirs.db"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name in ("celery_bench", "precious"):
            connection.execute(sa.text(f"create table {name} (a integer)"))
    monkeypatch.setenv(services.DATABASE_URL, url)
    services.check([trial("csv.import").cell.setup])
    assert sa.inspect(engine).get_table_names() == ["celery_bench", "precious"]
    engine.dispose()


def test_a_database_that_does_not_answer_is_told_before_anything_starts(monkeypatch):
    setups = [trial("csv.import").cell.setup]
    monkeypatch.delenv(services.DATABASE_URL, raising=False)
    services.check(setups)
    for url in (
        "postgresql+psycopg://me:secret@127.0.0.1:1/none",
        "nonsense",
        "sqlite:////no/such/folder/file.db",
    ):
        monkeypatch.setenv(services.DATABASE_URL, url)
        services.check([trial("noop").cell.setup])
        with pytest.raises(EnvironmentFault, match="CELERY_BENCH_DATABASE_URL cannot be used") as fault:
            services.check(setups)
        assert "secret" not in fault.value.message
