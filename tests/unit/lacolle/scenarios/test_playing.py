"""Scenarios on a whole exchange: what partners hold and what the log says, against what the scenario says."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lacolle.demo.hosting import InThisProcess
from lacolle.demo.view import View
from lacolle.folder import ExchangeFolder
from lacolle.processes.lineup import Part
from lacolle.processes.node import open_node
from lacolle.scenarios.document import SCENARIOS, read_scenario, scenario_named
from lacolle.scenarios.run import ScenarioResult, run_scenario
from lacolle.scenarios.view import rendered
from schemas.bilingual import Language


class Here(InThisProcess):
    """A node in this process that leaves the log lines of whoever runs the tests alone."""

    def opened(self, folder: ExchangeFolder) -> AbstractAsyncContextManager[Part]:
        """Open a node."""
        return open_node(folder, insecure_http=False)


def told(result: ScenarioResult, language: Language) -> str:
    """Return what a person reads of a scenario that was played."""
    words = StringIO()
    console = Console(file=words, width=200)
    console.print(rendered(result, View(console, language)))
    return words.getvalue()


@pytest.mark.parametrize("name", ["port-of-montreal", "joint-exercises", "france"])
async def test_a_scenario_goes_as_it_says(tmp_path: Path, name: str) -> None:
    """Each participant holds what the scenario says, and nobody anything else."""
    host = Here(log=tmp_path / "log")
    result = await run_scenario(scenario_named(name), host, directory=tmp_path / "world", environment={})
    assert [each.differences for each in result.played] == [(), ()]
    assert result.as_expected
    for alert, played in zip((result.scenario.passes, result.scenario.stops), result.played, strict=True):
        assert {name: outcome.effect for name, outcome in played.outcomes.items()} == {
            name: expected.gets for name, expected in alert.expect.items()
        }
        assert alert.caption.fr in told(result, "fr")
        assert alert.caption.en in told(result, "en")


async def test_a_scenario_that_goes_otherwise_is_told(tmp_path: Path) -> None:
    """Where what happened is not what the scenario says, it is not as expected, and who saw what else is told."""
    text = (SCENARIOS / "asymmetric.yaml").read_text(encoding="utf-8").replace("code: no-grant", "code: no-agreement")
    scenario = read_scenario(text, file="asymmetric.yaml")
    host = Here(log=tmp_path / "log")
    result = await run_scenario(scenario, host, directory=tmp_path / "world", environment={})
    words = told(result, "fr")
    assert not result.as_expected
    assert "! ca-qc.sq  attendu : no-agreement; constaté : no-grant" in words
    assert "◐  us-nh.nhsp  reçoit une copie partielle" in words
    assert "/body/involved/*/person/name  retiré" in words
    assert "Fictif" not in words
