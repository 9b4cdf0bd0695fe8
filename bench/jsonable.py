"""Scenarios as JSON-able data, as they are kept with their results, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.model import (
    Broker,
    Cell,
    Delivery,
    Limits,
    Load,
    Messages,
    Scenario,
    Setup,
    TaskCall,
    Variant,
    Workers,
)
from bench.units import hide_password


def plain(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON-able data, without passwords."""
    data = asdict(scenario)
    for cell in data["cells"]:
        broker = cell["setup"]["broker"]
        if broker["url"]:
            broker["url"] = hide_password(broker["url"])
    data["source"] = hide_password(data["source"])
    return data


def from_plain(data: Mapping[str, Any]) -> Scenario:
    """The inverse of ``plain`` (hidden passwords stay hidden)."""
    cells = tuple(Cell(id=c["id"], settings=c["settings"], setup=_setup(c["setup"])) for c in data["cells"])
    texts = {name: tuple(data.get(name, ())) for name in ("gates", "expect")}
    return Scenario(**{**data, **texts, "cells": cells})


def _setup(data: Mapping[str, Any]) -> Setup:
    variant = data.get("variant", {})
    return Setup(
        variant=Variant(**{**variant, "requirements": tuple(variant.get("requirements", ()))}),
        broker=Broker(**data["broker"]),
        fleet=tuple(_workers(group) for group in data["fleet"]),
        delivery=Delivery(**data["delivery"]),
        messages=Messages(**data["messages"]),
        workload=tuple(_task(call) for call in data["workload"]),
        load=_load(data["load"]),
        limits=Limits(**data["limits"]),
        **{name: data[name] for name in ("app", "routes", "settings", "warmup_per_slot")},
    )


def _task(data: Mapping[str, Any]) -> TaskCall:
    rows = data["arguments"] if isinstance(data["arguments"], str) else tuple(data["arguments"])
    parts = tuple(_task(part) for part in data.get("parts", ()))
    return TaskCall(**{**data, "args": tuple(data["args"]), "arguments": rows, "parts": parts})


def _workers(data: Mapping[str, Any]) -> Workers:
    return Workers(**{**data, "queues": tuple(data["queues"]), "cpus": tuple(data["cpus"])})


def _load(data: Mapping[str, Any]) -> Load:
    phases = tuple(_load(part) for part in data.get("phases", ()))
    return Load(**{**data, "rates": tuple(data.get("rates", ())), "phases": phases})
