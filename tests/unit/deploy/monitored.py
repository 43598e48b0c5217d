"""Which metrics the dashboard and the alarms ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from tests.unit.deploy.shipped import DEPLOY, documents

METRIC = re.compile(r"\blacolle_[a-z_]+")
LABEL = re.compile(r"(?:by|without) *\(([^)]*)\)|[{,] *([a-z_]+) *(?:=|!=|=~)")


def expressions() -> Iterator[str]:
    """Yield every expression in PromQL."""
    dashboard = orjson.loads((DEPLOY / "grafana" / "dashboards" / "lacolle.json").read_bytes())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    (rules,) = documents(DEPLOY / "prometheus" / "rules.yaml")
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def asked_for() -> set[str]:
    """Return the names of the time series that are asked for."""
    return {name for expression in expressions() for name in METRIC.findall(expression)}


def labels() -> set[str]:
    """Return the names of the labels that are asked for."""
    found = [listed or matched for expression in expressions() for listed, matched in LABEL.findall(expression)]
    return {name.strip() for names in found for name in names.split(",")}


def exported(text: str) -> set[str]:
    """Return the names of the time series that a scrape offers, whether there is one already or not."""
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names
