"""YAML files that a person writes, checked whole: what is wrong is told with file, line and reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual
from schemas.located_yaml import YamlError, errors_of, load_yaml

ModelT = TypeVar("ModelT", bound=BaseModel)


def read_yaml(path: Path, model: type[ModelT]) -> ModelT:
    """Return what a file says. Raises ``ConfigurationError`` with file, line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    try:
        document = load_yaml(text, file=str(path))
    except YamlError as error:
        raise ConfigurationError(joined([error])) from error
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigurationError(joined(errors_of(document, error))) from error


def joined(problems: Sequence[YamlError]) -> Bilingual:
    """Return problems as one text, a line for each."""
    return Bilingual(
        fr="\n".join(problem.in_language("fr") for problem in problems),
        en="\n".join(problem.in_language("en") for problem in problems),
    )


def unreadable(path: Path, error: Exception) -> ConfigurationError:
    """Return the error for a file or folder that can't be read."""
    kind = type(error).__name__
    return ConfigurationError(Bilingual(fr=f"{path} ne peut être lu ({kind}).", en=f"{path} can't be read ({kind})."))
