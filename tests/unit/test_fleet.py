"""What a fleet tells of its workers' logs."""

from types import SimpleNamespace
from typing import Any, cast

from bench.run.fleet import Fleet


def complaint_of(log: str) -> str:
    node = SimpleNamespace(index=0, child=SimpleNamespace(tail=lambda: log))
    return Fleet([cast(Any, node)]).complaint()


def test_a_complaint_shows_no_password_where_there_is_none_and_ends_without_a_full_stop():
    told = "consumer: Cannot connect to redis://:**@127.0.0.1:6399//: Error 111. Connection refused.."
    log = f"[2026-11-21 07:00:00,000: ERROR/MainProcess] {told}\nTrying again in 2.00 seconds... (1/100)\n"
    assert complaint_of(log) == (
        "worker 0: consumer: Cannot connect to redis://127.0.0.1:6399//: Error 111. Connection refused"
    )


def test_a_log_without_errors_is_no_complaint():
    assert complaint_of("[2026-11-21 07:00:00,000: INFO/MainProcess] ready\n") == ""
