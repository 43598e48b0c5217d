"""An agreement as people write it: YAML, read to the letter or refused with every line that is wrong."""

from __future__ import annotations

from pydantic import ValidationError

from agreements.document import Agreement
from schemas.located_yaml import LocatedDocument, YamlError, errors_of, load_yaml
from schemas.signing.canonical import NotCanonicalError, canonical_bytes


class InvalidAgreementError(Exception):
    """The text is no agreement; ``errors`` says everything that is wrong with it, each at its line and path."""

    def __init__(self, errors: tuple[YamlError, ...]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def read_agreement(text: str, *, file: str) -> Agreement:
    """Return the agreement that a YAML text writes; ``file`` is its name in errors.

    What is read is what would be signed: the text's canonical JSON. Raises ``InvalidAgreementError``.
    """
    try:
        return agreement_in(load_yaml(text, file=file))
    except YamlError as error:
        raise InvalidAgreementError((error,)) from None


def agreement_in(document: LocatedDocument) -> Agreement:
    """Return the agreement that a YAML document is. Raises ``InvalidAgreementError``."""
    try:
        return Agreement.model_validate_json(canonical_bytes(document.value))
    except NotCanonicalError as error:
        raise InvalidAgreementError((document.error((), error.reason),)) from None
    except ValidationError as error:
        raise InvalidAgreementError(errors_of(document, error, tags=("condition", "obligation"))) from None
