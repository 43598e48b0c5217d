"""The example as ``kubectl apply -k`` would send it: whole, valid, and to be applied again after every change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest

from tests.unit.deploy.kustomized import built
from tests.unit.deploy.shipped import EXAMPLE, KUBERNETES, pod_containers, pod_template

IMMUTABLE: Final = {
    "Job": ("spec", "template"),
    "Deployment": ("spec", "selector"),
    "PersistentVolumeClaim": ("spec",),
}
"""What the API refuses to change of an object that is there."""


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """Return a copy of the example, beside a copy of the base."""
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    return tmp_path / "kubernetes" / EXAMPLE.relative_to(KUBERNETES)


def _by_identity(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


def _part(document: dict[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever stands there
    value: Any = document
    for name in path:
        value = value[name]
    return value


def test_what_is_built_is_whole() -> None:
    """Every object is valid, none is there twice, and every ConfigMap that a pod refers to is among them."""
    objects = _by_identity(built(EXAMPLE))
    maps = {name for kind, name in objects if kind == "ConfigMap"}
    for (kind, name), each in objects.items():
        kubernetes_validate.validate(each, "1.34", strict=True)
        if kind not in {"Deployment", "CronJob"}:
            continue
        template = pod_template(each)
        referred = [volume["configMap"]["name"] for volume in template["spec"]["volumes"] if "configMap" in volume]
        for container in pod_containers(template):
            referred += [source["configMapRef"]["name"] for source in container["envFrom"]]
            assert container["image"].startswith("images.agency.example/lacolle:")
        assert set(referred) <= maps, name


def test_the_owner_has_the_examples_database() -> None:
    """The overlay's address of the database goes over the base's, and how it is reached stays."""
    owner = _by_identity(built(EXAMPLE))["ConfigMap", "lacolle-owner"]["data"]
    assert owner["LACOLLE_DATABASE"] == "postgresql://lacolle_owner@exchange-rw.postgresql.svc/lacolle"
    assert owner["LACOLLE_DATABASE_TLS"] == "verify"


@pytest.mark.parametrize("file", ["partners.yaml", "kustomization.yaml", "owner.yaml"])
def test_a_change_can_be_applied(overlay: Path, file: str) -> None:
    """A new partner, version or address changes nothing that the API would refuse to change."""
    before = _by_identity(built(overlay))
    text = (overlay / file).read_text(encoding="utf-8")
    changed = text.replace("0.1.0", "0.2.0").replace("partner.example", "other.example").replace("exchange-rw", "other")
    assert changed != text
    (overlay / file).write_text(changed, encoding="utf-8")
    after = _by_identity(built(overlay))
    assert after != before
    for identity in before.keys() & after.keys():
        path = IMMUTABLE.get(identity[0])
        if path is not None:
            assert _part(after[identity], path) == _part(before[identity], path), identity


def test_new_settings_reach_the_processes(overlay: Path) -> None:
    """Changed settings are a new map, which gives each role new pods, one after the other."""
    before = _by_identity(built(overlay))
    (overlay / "partners.yaml").write_text("partners: []\n", encoding="utf-8")
    after = _by_identity(built(overlay))
    for role in ("gateway", "relay", "adapters"):
        identity = ("Deployment", f"lacolle-{role}")
        assert after[identity]["spec"]["template"] != before[identity]["spec"]["template"]


def test_nothing_runs_before_it_is_told_to() -> None:
    """Schema and topics are patterns of jobs: an operator makes one from them, and no clock ever does."""
    patterns = [each for (kind, _), each in _by_identity(built(EXAMPLE)).items() if kind == "CronJob"]
    assert {each["metadata"]["name"] for each in patterns} == {"lacolle-schema", "lacolle-topics"}
    assert all(each["spec"]["suspend"] for each in patterns)
