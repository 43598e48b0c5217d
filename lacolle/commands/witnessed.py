"""Which witnesses a person demands who verifies a log, or what was drawn from one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from audit.policy import WitnessPolicy
from lacolle.commands.inputs import InputError
from lacolle.yamlfiles import read_yaml
from schemas.bilingual import Bilingual


def read_policy(file: Path) -> WitnessPolicy:
    """Return the policy in a file. Raises ``ConfigurationError``, and ``InputError`` for one that demands nothing."""
    from gateway.settings.witnesses import WitnessesSettings  # noqa: PLC0415 - most verify without

    policy = read_yaml(file, WitnessesSettings).witness_policy
    if policy is None:
        raise InputError(_NO_POLICY)
    return policy


_NO_POLICY: Final = Bilingual(
    fr="Ce fichier n'exige aucun témoin : il y faut un membre policy.",
    en="This file demands no witness: it must have a member policy.",
)
