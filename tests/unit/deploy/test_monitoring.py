"""Alarms and dashboard: they ask for what the product exports, and each alarm is explained and tested."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from adapters.metrics import AdapterMetrics
from gateway.watching.health import WORKS, Report
from gateway.watching.metrics import (
    IntakeMetrics,
    LedgerMetrics,
    ReadinessCollector,
    ReconciliationMetrics,
    RelayMetrics,
)
from lacolle.processes.lag import LagCollector
from schemas.ids import ParticipantId
from tests.servers.availability import unavailable
from tests.unit.deploy.monitored import asked_for, exported, labels
from tests.unit.deploy.shipped import DEPLOY, ROOT, documents, named, of_kind

PROMETHEUS: Final = DEPLOY / "prometheus"
FROM_PROMETHEUS: Final = {"role", "instance", "job", "le"}


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return every metric of every role."""
    registry = CollectorRegistry()
    for metrics in (LedgerMetrics, IntakeMetrics, ReconciliationMetrics):
        metrics(registry)
    AdapterMetrics(registry, participants=[ParticipantId("us-ny.nysp")])
    RelayMetrics(registry).follow_unanswered(lambda: {ParticipantId("us-ny.nysp"): 1})
    registry.register(LagCollector(lambda: {("group", "topic"): 1}))
    registry.register(ReadinessCollector(Report((("bus", WORKS),))))
    return registry


def test_every_metric_is_exported(registry: CollectorRegistry) -> None:
    """What dashboard and alarms ask for is what one of the roles counts."""
    wanted = asked_for()
    assert len(wanted) > 10
    assert wanted <= exported(generate_latest(registry).decode())


def test_every_label_is_one(registry: CollectorRegistry) -> None:
    """What they tell apart by is a label of a metric of ours, or one that Prometheus adds when it scrapes."""
    ours = {
        name
        for each in registry._collector_to_names
        if isinstance(each, MetricWrapperBase)
        for name in each._labelnames
    }
    ours |= {label for metric in registry.collect() for sample in metric.samples for label in sample.labels}
    assert labels() <= ours | FROM_PROMETHEUS


def _alarms() -> dict[str, dict[str, dict[str, str]]]:
    (rules,) = documents(PROMETHEUS / "rules.yaml")
    return {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}


def test_every_alarm_is_said_in_both_languages() -> None:
    """Each alarm has a severity, and a summary in French and in English."""
    for name, rule in _alarms().items():
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert set(rule["annotations"]) == {"summary", "summary_fr"}, name


def test_every_alarm_is_explained_and_tested() -> None:
    """The operator's page says what each alarm means, and its tests let each one sound and keep each one silent."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    (tests,) = documents(PROMETHEUS / "rules.test.yaml")
    quiet, loud = ({check["alertname"] for check in each["alert_rule_test"]} for each in tests["tests"])
    assert quiet == loud == set(_alarms())
    for name in _alarms():
        assert f"`{name}`" in page, name


def _promtool(*arguments: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool is not installed (Debian's package prometheus has it)")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_prometheus_takes_them() -> None:
    """Promtool finds the configuration valid, and each alarm sounds and is silent as its tests say."""
    _promtool("check", "config", "prometheus.yaml")
    _promtool("test", "rules", "rules.test.yaml")


def test_prometheus_takes_the_scrape_of_kubernetes(tmp_path: Path) -> None:
    """It is valid but for its discovery, which Debian's promtool is built without; it asks the ports that pods name."""
    (configuration,) = documents(PROMETHEUS / "kubernetes.yaml")
    (job,) = configuration["scrape_configs"]
    (discovery,) = job.pop("kubernetes_sd_configs")
    assert discovery["namespaces"]["names"] == [named(of_kind("Namespace"), "lacolle")["metadata"]["name"]]
    job["static_configs"] = [{"targets": ["127.0.0.1:9464"]}]
    configuration["rule_files"] = [str(PROMETHEUS / "rules.yaml")]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    _promtool("check", "config", str(tmp_path / "prometheus.yaml"))
    (ports,) = [each["regex"] for each in job["relabel_configs"] if "port_name" in each["source_labels"][0]]
    for deployment in of_kind("Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert ports in {port["name"] for port in container["ports"]}
