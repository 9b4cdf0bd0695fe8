"""Every shipped task by the name scenarios use. Plain functions: reading this list imports no Celery."""

from collections.abc import Callable, Mapping
from typing import Any

from . import attempts, basic, cpu, files, images, inference, io, mail, memory, mixed, records, reports

TASKS: dict[str, Callable[..., Any]] = {
    "noop": basic.noop,
    "fail": basic.fail,
    "crash": basic.crash,
    "flaky": attempts.flaky,
    "cpu.spin": cpu.spin,
    "cpu.hash": cpu.hash,
    "io.sleep": io.sleep,
    "io.http": io.http_get,
    "mixed": mixed.mixed,
    "memory.hold": memory.hold,
    "memory.leak": memory.leak,
    "mail.send": mail.send,
    "http.call": io.http_call,
    "image.resize": images.resize,
    "csv.import": records.import_csv,
    "csv.export": records.export_csv,
    "report.render": reports.render,
    "files.clean": files.clean,
    "inference": inference.infer,
}

EXTRA = "celery-bench[workloads]"
PACKAGES: Mapping[str, str] = {
    "mail.send": "aiosmtpd",
    "image.resize": "PIL",
    "csv.import": "sqlalchemy",
    "csv.export": "sqlalchemy",
}
"""Task → the module of ``EXTRA`` that it, or the server it talks to, cannot do without."""
