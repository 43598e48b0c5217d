"""What ``deploy/`` ships, read for the tests: documents, containers, their command lines and environments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[3]
DEPLOY: Final = ROOT / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
EXAMPLE: Final = KUBERNETES / "overlays" / "example"
IMAGE: Final = "lacolle"
_VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Container:
    """One container that runs our image: where it stands, its command line, and its environment."""

    where: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def documents(path: Path) -> list[Any]:
    """Return the documents of a YAML file, without the empty ones."""
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each is not None]


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return ``compose.yaml`` with its variables filled in, as Compose does; one that must be given must be there."""

    def filled(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
        if isinstance(value, str):
            return _VARIABLE.sub(lambda found: _value(found, environment), value)
        if isinstance(value, list):
            return [filled(each) for each in value]
        return {name: filled(each) for name, each in value.items()} if isinstance(value, dict) else value

    (document,) = documents(DEPLOY / "compose.yaml")
    whole: dict[str, Any] = filled(document)
    return whole


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, kind, otherwise = found.groups()
    if environment.get(name):
        return environment[name]
    assert kind == "-", f"{name}: {otherwise}"
    return str(otherwise)


SAMPLE_ENVIRONMENT: Final = {"LACOLLE_GROUP": "10001", "KAFKA_CLUSTER_ID": "71rGVUu9SRUVOmPJKSj2Ng"}


def manifests() -> list[dict[str, Any]]:
    """Return every object of the Kubernetes base, and those that the example adds."""
    paths = [*sorted((KUBERNETES / "base").glob("*.yaml")), EXAMPLE / "namespace.yaml"]
    return [each for path in paths if path.name != "kustomization.yaml" for each in documents(path)]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    """Return the objects of some kinds."""
    return [each for each in manifests() if each["kind"] in kinds]


def named(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the object with a name."""
    (found,) = [each for each in objects if each["metadata"]["name"] == name]
    return found


def pods() -> list[tuple[str, dict[str, Any]]]:
    """Return the pod templates of deployments and of the patterns of jobs, with the names of their owners."""
    return [(each["metadata"]["name"], pod_template(each)) for each in of_kind("Deployment", "CronJob")]


def pod_template(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod template within a deployment, or within the job that a CronJob makes."""
    spec = document["spec"]
    template: dict[str, Any] = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    return template


def pod_containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every container of a pod."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def our_containers() -> Iterator[Container]:
    """Yield every container of our image, of Compose and of Kubernetes."""
    for name, service in compose(SAMPLE_ENVIRONMENT)["services"].items():
        if service["image"].partition(":")[0] == IMAGE:
            yield Container(f"compose: {name}", tuple(service["command"]), service.get("environment", {}))
    maps = of_kind("ConfigMap")
    for name, template in pods():
        for container in pod_containers(template):
            environment: dict[str, str] = {}
            for source in container["envFrom"]:
                environment |= named(maps, source["configMapRef"]["name"])["data"]
            yield Container(f"kubernetes: {name}", tuple(container["args"]), environment)
