"""Waiting: for time, and for a server."""

import http.client
import os
import time
from urllib.parse import urlencode, urlsplit

from .amounts import Amount, draw
from .attempts import Share, again, key


def sleep(seconds: Amount) -> None:
    """Wait, as for a slow service, with no work at all."""
    time.sleep(draw(seconds))


def http_get(seconds: Amount = 0.05) -> int:
    """One GET over a real socket to the harness's loopback server, which answers after ``seconds``."""
    asked = draw(seconds)
    status = _get(timeout=asked + 30, seconds=asked)
    if status != 200:
        raise RuntimeError(f"the loopback server answered {status}")
    return status


def http_call(
    seconds: Amount = 0.03, jitter: float = 0.03, errors: Share = 0.02, retries: int = 3, backoff: float = 0.1
) -> int:
    """Call a slow API: the loopback server answers after ``seconds`` and up to ``jitter`` seconds more, with
    probability ``errors`` by a 503, the same for the same task and attempt. A 503 is retried like ``flaky``,
    after a wait that is drawn. Returns the status.
    """
    asked = draw(seconds)
    status = _get(timeout=asked + jitter + 30, seconds=asked, jitter=jitter, errors=errors, key=key())
    if status == 503:
        again(RuntimeError("the API answered 503"), retries=retries, backoff=backoff)
    if status != 200:
        raise RuntimeError(f"the loopback server answered {status}")
    return status


def _get(*, timeout: float, **asked: float | str) -> int:
    base = os.environ.get("CELERY_BENCH_HTTP_URL")
    if base is None:
        raise RuntimeError("CELERY_BENCH_HTTP_URL is not set: this task runs only inside a trial")
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=timeout)
    try:
        connection.request("GET", f"/?{urlencode(asked)}")
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
