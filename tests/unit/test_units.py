"""Units at the edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import units


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.duration, "250ms", 0.25),
        (units.duration, " 1.5 s ", 1.5),
        (units.duration, "2m", 120.0),
        (units.duration, "1e3us", 1e-3),
        (units.duration, "3µs", 3e-6),
        (units.duration, "1h", 3600.0),
        (units.size, "400MiB", 400 * 2**20),
        (units.size, "1.5GB", 1.5e9),
        (units.rate, "500/s", 500.0),
        (units.rate, "30/min", 0.5),
        (units.quantity, "2%", 0.02),
        (units.quantity, "7", 7.0),
        (units.quantity, "-1.5", -1.5),
        (units.quantity, "10ms", 0.01),
    ],
)
def test_what_is_written_is_read(parse, text, value):
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize("parse", [units.duration, units.size, units.rate])
@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 parsecs", "5s5", "--5s", "five s", "5 s s", "0x5s", "nan s"]
)
def test_what_has_no_unit_is_refused(parse, text):
    with pytest.raises(ValueError, match="write a number and one of"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (4e-9, "0.004 µs"),
        (0.0123, "12.3 ms"),
        (0.9999, "1 s"),
        (1.2, "1.2 s"),
        (119.0, "119 s"),
        (200, "3 min 20 s"),
        (7260, "2 h 1 min"),
        (-0.5, "-500 ms"),
    ],
)
def test_durations_are_written_for_people(seconds, text):
    assert units.format_duration(seconds) == text


@given(st.floats(1e-6, 100))
def test_a_written_duration_reads_back_within_three_digits(seconds):
    assert units.duration(units.format_duration(seconds)) == pytest.approx(seconds, rel=6e-3)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("throughput", 1440.4, "1 440/s"),
        ("throughput", 99.96, "100/s"),
        ("capacity", 198.4, "198/s"),
        ("p95(service)", 0.05, "50 ms"),
        ("makespan", 12.34, "12.3 s"),
        ("cpu_per_task", 0.00065, "650 µs"),
        ("memory", 85.3 * 2**20, "85.3 MiB"),
        ("memory", 12, "12 B"),
        ("utilisation", 0.8, "80 %"),
        ("cpu", 1.5, "1.50 cores"),
        ("failed", 3, "3"),
    ],
)
def test_a_metric_is_written_in_its_unit(name, value, text):
    assert units.format_metric(name, value) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("redis://me:pw@h:1/0", "redis://me:***@h:1/0"),
        ("redis://:pw@h", "redis://:***@h"),
        ("amqp://a:p@b@h//", "amqp://a:***@h//"),
        ("redis://a:p:w@h and amqps://c:d@e", "redis://a:***@h and amqps://c:***@e"),
        ("redis://me@h:1/0", "redis://me@h:1/0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("http://h:80/a@b", "http://h:80/a@b"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text, hidden):
    assert units.hide_password(text) == hidden


def test_a_password_in_the_query_is_hidden_too():
    assert units.hide_password("redis://h:1/0?password=s3cret&db=1") == "redis://h:1/0?password=***&db=1"
    assert units.hide_password("amqp://u:a@h/?x=1&ssl_password=b") == "amqp://u:***@h/?x=1&ssl_password=***"
