"""What containers are told to run is what ``lacolle`` can be told."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from gateway.settings.exchange import Settings, read_settings
from gateway.settings.section import SettingsError
from lacolle.cli import application
from lacolle.folder import create_folder
from tests.unit.deploy.shipped import EXAMPLE, Container, our_containers

CONTAINERS = list(our_containers())
UsageError = typer.BadParameter.__mro__[1]
"""What typer's parser raises; it gives this one no public name."""
ROLES = {"gateway", "relay", "adapters"}


def _id(container: Container) -> str:
    return container.where


def _parsed(arguments: tuple[str, ...]) -> str:
    """Parse a command line with the command's own parser, and return the name of the command that would run."""
    command = typer.main.get_command(application())
    context = command.make_context("lacolle", list(arguments))
    names = []
    while isinstance(command, TyperGroup):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert name is not None
        assert found is not None
        names.append(name)
        command, context = found, found.make_context(name, rest, parent=context)
    return " ".join(names)


@pytest.mark.parametrize("container", CONTAINERS, ids=_id)
def test_every_command_line_is_one(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of ``lacolle`` takes each container's command line, in that container's environment."""
    for name, value in container.environment.items():
        monkeypatch.setenv(name, value)
    assert _parsed(container.arguments)


def test_a_wrong_command_line_would_be_noticed() -> None:
    """The parser that these tests use refuses an option that is none, and a command that is none."""
    for wrong in (("gateway", "/srv/lacolle", "--wokers", "2"), ("relais", "/srv/lacolle"), ("db", "upgrade")):
        with pytest.raises(UsageError):
            _parsed(wrong)


def test_every_role_is_run() -> None:
    """Compose and Kubernetes each run gateway, relay and adapters."""
    for platform in ("compose", "kubernetes"):
        run = {each.arguments[0] for each in CONTAINERS if each.where.startswith(platform)}
        assert run >= ROLES


@pytest.mark.parametrize("container", [each for each in CONTAINERS if each.arguments[0] in ROLES | {"ops"}], ids=_id)
def test_every_environment_is_settings(container: Container, tmp_path: Path) -> None:
    """Each container's environment, over the settings that it mounts, is read by the product as complete settings."""
    settings = _settings(container, tmp_path)
    assert settings.store.url is not None
    assert settings.bus.kafka is not None
    assert settings.bus.kafka.security.protocol == "mtls"
    assert settings.listen.tls is not None


@pytest.mark.parametrize("container", CONTAINERS, ids=_id)
def test_no_variable_is_unknown(container: Container) -> None:
    """A variable of a container is a setting's, by its path of known members, or an option's."""
    options = {"LACOLLE_DATABASE"} | {f"LACOLLE_DATABASE_{name}" for name in ("PASSWORD_FILE", "TLS", "CA_FILE")}
    for name in container.environment:
        assert name in options or name.removeprefix("LACOLLE_").split("__")[0].lower() in Settings.model_fields, name


def test_an_unknown_variable_would_be_noticed(tmp_path: Path) -> None:
    """The settings that these tests read refuse a variable that names no setting."""
    (container, *_) = [each for each in CONTAINERS if each.arguments[0] == "gateway"]
    wrong = Container(container.where, container.arguments, {**container.environment, "LACOLLE_STORE__URI": "x"})
    with pytest.raises(SettingsError):
        _settings(wrong, tmp_path)


def _settings(container: Container, folder: Path) -> Settings:
    if container.where.startswith("kubernetes"):
        return read_settings(EXAMPLE / "lacolle.yaml", container.environment)
    written = create_folder(
        folder / "exchange",
        base_url="https://localhost:8443",
        origin="lacolle.example/log",
        host="localhost",
        port=8443,
    )
    return read_settings(written, container.environment)
