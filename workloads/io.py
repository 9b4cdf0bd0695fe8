"""Waiting: for time, and for a server."""

import http.client
import os
import time
from urllib.parse import urlencode, urlsplit

from .attempts import again, key


def sleep(seconds: float) -> None:
    """Wait, as for a slow service, with no work at all."""
    time.sleep(seconds)


def http_get(seconds: float = 0.05) -> int:
    """One GET over a real socket to the harness's loopback server, which answers after ``seconds``."""
    status = _get(timeout=seconds + 30, seconds=seconds)
    if status != 200:
        raise RuntimeError(f"the loopback server answered {status}")
    return status


def http_call(
    seconds: float = 0.03, jitter: float = 0.03, errors: float = 0.02, retries: int = 3, backoff: float = 0.1
) -> int:
    """Call a slow API: the loopback server answers after ``seconds`` and up to ``jitter`` seconds more, with
    probability ``errors`` by a 503, both drawn from the task's id and the attempt. A 503 is retried like
    ``flaky``, after a wait that is drawn. Returns the status.
    """
    asked = {"seconds": seconds, "jitter": jitter, "errors": errors, "key": key()}
    status = _get(timeout=seconds + jitter + 30, **asked)
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
