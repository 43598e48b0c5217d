"""What ``kubectl apply -k`` would send: as much of kustomize as ``deploy/kubernetes`` uses, and nothing is passed over.

A generated ConfigMap's name ends in a digest of its content, and whoever refers to it is given that name; kustomize's
own digest is another function of the same content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from tests.unit.deploy.shipped import documents

_MEMBERS: Final = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images", "patches"}
_CLUSTER_WIDE: Final = {"Namespace"}


def built(folder: Path) -> list[dict[str, Any]]:
    """Return every object that a kustomization makes."""
    (told,) = documents(folder / "kustomization.yaml")
    assert set(told) <= _MEMBERS, set(told) - _MEMBERS
    objects = [each for name in told["resources"] for each in _resource(folder / name)]
    generated = {each["name"]: _generated(folder, each) for each in told.get("configMapGenerator", ())}
    for patch in told.get("patches", ()):
        assert set(patch) == {"path"}
        for change in documents(folder / patch["path"]):
            _merge(_named(objects, change), change)
    for each in _mappings(objects):
        _point(each, {name: made["metadata"]["name"] for name, made in generated.items()})
        for image in told.get("images", ()):
            _retag(each, image)
    objects += generated.values()
    for each in objects:
        if "namespace" in told and each["kind"] not in _CLUSTER_WIDE:
            each["metadata"]["namespace"] = told["namespace"]
    return objects


def _resource(path: Path) -> list[dict[str, Any]]:
    return built(path) if path.is_dir() else documents(path)


def _generated(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    assert set(told) <= {"name", "files"}
    data = {Path(file).name: (folder / file).read_text(encoding="utf-8") for file in told.get("files", ())}
    digest = hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{told['name']}-{digest}"}, "data": data}


def _named(objects: list[dict[str, Any]], like: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in objects if _identity(each) == _identity(like)]
    return found


def _identity(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _merge(onto: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Lay a patch over an object; none of ours changes a list."""
    for name, value in change.items():
        assert not isinstance(value, list)
        if isinstance(value, Mapping) and isinstance(onto.get(name), dict):
            _merge(onto[name], value)
        else:
            onto[name] = value


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _mappings(each)


def _point(mapping: dict[str, Any], names: Mapping[str, str]) -> None:
    for member in ("configMap", "configMapRef"):
        if member in mapping:
            mapping[member]["name"] = names.get(mapping[member]["name"], mapping[member]["name"])


def _retag(mapping: dict[str, Any], told: Mapping[str, str]) -> None:
    name, _, tag = str(mapping.get("image", "")).partition(":")
    if name == told["name"]:
        mapping["image"] = f"{told.get('newName', name)}:{told.get('newTag', tag)}"
