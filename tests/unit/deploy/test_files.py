"""Everything that deploy/ ships can be read, pins what it runs, and holds no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import orjson
import pytest
import yaml

from tests.unit.deploy.shipped import DEPLOY, ROOT, SAMPLE_ENVIRONMENT, compose, pod_containers, pods

FILES: Final = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and (DEPLOY / "local") not in path.parents)
PINNED: Final = re.compile(r"^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9]+)*$")
SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\"d\"\s*:\s*\""  # a private JWK
    r"|(?i:\b[a-z_]*(?:password|passwd|secret|token)\s*[:=]\s*)['\"]?(?!postgres|/run/|\$)[A-Za-z0-9+/_-]{12,}"
)


def _id(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


@pytest.mark.parametrize("path", [each for each in FILES if each.suffix in {".yaml", ".yml"}], ids=_id)
def test_every_yaml_file_is_yaml(path: Path) -> None:
    """Every YAML file parses, and no mapping of it has a member twice."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's own signature
            names = [key.value for key, _ in node.value if key.value != "<<"]
            assert len(names) == len(set(names)), f"{path}: {names}"
            return super().construct_mapping(node, deep)

    assert list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=Strict))


def test_the_dashboard_is_json() -> None:
    """The dashboard parses, has at most ten panels that do not overlap, and speaks both languages."""
    dashboard = orjson.loads((DEPLOY / "grafana" / "dashboards" / "lacolle.json").read_bytes())
    panels = dashboard["panels"]
    assert 1 <= len(panels) <= 10
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    for panel in panels:
        assert " · " in panel["title"], panel["title"]
        assert " · " in panel["description"], panel["title"]


def test_every_image_is_pinned() -> None:
    """Every image that is run or built from has a tag with a version, never ``latest``."""
    services = compose(SAMPLE_ENVIRONMENT)["services"]
    images = [service["image"] for service in services.values()]
    images += [container["image"] for _, template in pods() for container in pod_containers(template)]
    images += re.findall(r"^ARG PYTHON=(\S+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(images) > 10
    for image in images:
        assert PINNED.fullmatch(image), image


def test_the_image_has_the_programs_version() -> None:
    """Whoever deploys version so-and-so runs the image of that name."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    services = compose(SAMPLE_ENVIRONMENT)["services"]
    assert services["gateway"]["image"] == f"lacolle:{version[1]}"
    assert {container["image"] for _, template in pods() for container in pod_containers(template)} == {
        f"lacolle:{version[1]}"
    }


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_no_secret_is_in_the_tree(path: Path) -> None:
    """No file holds a private key, or what looks like a password."""
    found = SECRET.search(path.read_text(encoding="utf-8"))
    assert found is None, found


@pytest.mark.parametrize(
    "text",
    ["password: correct-horse-battery", "GF_SECRET=abcdefghijklmnop", '"d": "c2VjcmV0"', "-----BEGIN PRIVATE KEY-----"],
)
def test_a_secret_would_be_noticed(text: str) -> None:
    """What the test before looks for is found where it is."""
    assert SECRET.search(text) is not None


def test_what_secrets_are_kept_in_is_ignored() -> None:
    """The folder that secrets.sh fills can't be committed by mistake, nor sent to whoever builds the image."""
    assert "/deploy/local/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in ignored if not line.startswith("#")) == "*"
    assert [line for line in ignored if line.startswith("!deploy")] == ["!deploy/healthcheck.py"]
