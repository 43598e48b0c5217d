"""The Kubernetes set-up: valid by the API's own schemas, confined, and whole in its references."""

from __future__ import annotations

from typing import Any, Final

import kubernetes_validate
import pytest

from tests.unit.deploy.shipped import (
    EXAMPLE,
    KUBERNETES,
    ROOT,
    documents,
    manifests,
    named,
    of_kind,
    pod_containers,
    pods,
)

VERSIONS: Final = ("1.34", "1.37")
ROLES: Final = ("gateway", "relay", "adapters")


def _name(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", manifests(), ids=_name)
def test_every_object_is_one(document: dict[str, Any], version: str) -> None:
    """Each object is valid by the schemas of that version of the API, without a member that they do not know."""
    kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_object_would_be_noticed() -> None:
    """The validator refuses a member that the API does not know."""
    document = named(of_kind("Deployment"), "lacolle-relay")
    document["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


@pytest.mark.parametrize(("name", "template"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_pod_is_confined(name: str, template: dict[str, Any]) -> None:
    """Each pod meets the restricted Pod Security Standard, its root file system is read-only, its memory bounded."""
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False, name
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod_containers(template):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize(("name", "template"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_secrets_are_files(name: str, template: dict[str, Any]) -> None:
    """No secret comes by the environment; each is mounted read-only, for its owner and the pod's group alone."""
    text = str(template)
    assert "secretKeyRef" not in text, name
    assert "secretRef" not in text
    for volume in template["spec"]["volumes"]:
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o400
    for container in pod_containers(template):
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in template["spec"]["volumes"]}
        for mount in container["volumeMounts"]:
            assert mount.get("readOnly", False) is (mount["name"] not in {"tmp", "published", "content-keys"})


def test_every_reference_leads_somewhere() -> None:
    """Each ConfigMap that a pod names is in the base or the overlay; each Secret is on the operator's page."""
    generated = {each["name"] for each in documents(EXAMPLE / "kustomization.yaml")[0]["configMapGenerator"]}
    maps = {each["metadata"]["name"] for each in of_kind("ConfigMap")} | generated
    claims = {each["metadata"]["name"] for each in of_kind("PersistentVolumeClaim")}
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for name, template in pods():
        for volume in template["spec"]["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
            if "secret" in volume:
                assert f"`{volume['secret']['secretName']}`" in page, volume
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        for container in pod_containers(template):
            assert {each["configMapRef"]["name"] for each in container["envFrom"]} <= maps


def test_kustomize_names_every_file() -> None:
    """The base's list has every file of its folder, the overlay's files are there, and none lies outside."""
    (base,) = documents(KUBERNETES / "base" / "kustomization.yaml")
    here = {path.name for path in (KUBERNETES / "base").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(base["resources"]) == here
    (overlay,) = documents(EXAMPLE / "kustomization.yaml")
    files = [file for each in overlay["configMapGenerator"] for file in each.get("files", ())]
    for name in [*files, *overlay["resources"], *(patch["path"] for patch in overlay["patches"])]:
        assert (EXAMPLE / name).exists(), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_survives_a_node(role: str) -> None:
    """Two of each role run on different nodes, one may be away at a time, and its probes ask the operator's port."""
    deployment = named(of_kind("Deployment"), f"lacolle-{role}")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    budget = named(of_kind("PodDisruptionBudget"), f"lacolle-{role}")
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    for constraint in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "operation", "containerPort": 9464} in container["ports"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "operation"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "operation"}


def test_adapters_get_one_key() -> None:
    """The adapters are given the transport key alone, no agreement, and no password of the database."""
    volumes = named(of_kind("Deployment"), "lacolle-adapters")["spec"]["template"]["spec"]["volumes"]
    keys = next(volume["secret"] for volume in volumes if volume["name"] == "keys")
    assert [item["key"] for item in keys["items"]] == ["transport.jwk"]
    assert not {"agreements", "database", "tls", "published"} & {volume["name"] for volume in volumes}


def test_nobody_talks_unless_told() -> None:
    """All is denied; then gateways, relays and the schema's job alone reach the database, adapters alone the world."""
    policies = of_kind("NetworkPolicy")
    denied = named(policies, "default-deny")["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert _components(named(policies, "to-database")) == {"gateway", "relay", "schema"}
    assert _components(named(policies, "to-bus")) == {"gateway", "relay", "adapters", "topics"}
    assert _components(named(policies, "gateway-from-outside")) == {"gateway"}
    outside = [each for each in policies if "ipBlock" in str(each)]
    assert [_components(each) for each in outside] == [{"adapters"}]
    there = {template["metadata"]["labels"]["app.kubernetes.io/component"] for _, template in pods()}
    for policy in policies:
        assert _components(policy) <= there


def _components(policy: dict[str, Any]) -> set[str]:
    expressions = policy["spec"]["podSelector"].get("matchExpressions", ())
    return {value for expression in expressions for value in expression["values"]}
