"""``GET /v1/log/exports``: the log, or a report that is read from it, as an archive with a signed manifest."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from audit.exporting.formats import Format, FormatNotHereError
from gateway.errors import InvalidQueryError
from gateway.http.asking import JUSTIFICATION, Filters, justification_of
from gateway.http.auth import bearer, reader_of
from gateway.http.services import services
from gateway.inquiry.asked import read_filters
from gateway.inquiry.exporting import Export, Wanted
from gateway.inquiry.reports import KINDS_OF, Report
from gateway.intake.tokens import Scope
from schemas.bilingual import Bilingual

router = APIRouter(tags=["log"])

ZIP: Final = "application/zip"


@router.get("/v1/log/exports", summary="The log as a file, for auditors", openapi_extra=JUSTIFICATION)
async def export(
    request: Request,
    filters: Filters,
    report: Annotated[Report, Query(description="The entries themselves, or the accounting of disclosures")],
    form: Annotated[Format, Query(alias="format", description="How the rows are written")],
) -> Response:
    """Answer an archive (ZIP) of the rows and ``manifest.jws``; that it was asked for becomes an entry of the log."""
    use = services(request)
    reader = reader_of(bearer(request, Scope.LOG_READ))
    justification = justification_of(request)
    if filters["kind"] and KINDS_OF[report]:
        raise InvalidQueryError(_ONE_KIND)
    asked = read_filters(filters, after=-1)
    try:
        begun = await use.exports.begin(Wanted(reader, asked, report, form, justification))
    except FormatNotHereError:
        raise InvalidQueryError(_NOT_HERE) from None
    return _ExportResponse(begun)


class _ExportResponse(StreamingResponse):
    """The archive as it is made. Whether it was taken or not, the export is closed afterwards."""

    def __init__(self, begun: Export) -> None:
        named = {"Content-Disposition": f'attachment; filename="{begun.name}.zip"', "Cache-Control": "no-store"}
        super().__init__(begun.stream(), media_type=ZIP, headers=named)
        self._begun = begun

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._begun.close()


_ONE_KIND: Final = Bilingual(
    fr="le paramètre kind n'a pas de sens avec ce rapport, qui est tiré des remises et des accusés",
    en="the parameter kind has no meaning with this report, which is read from deliveries and acknowledgements",
)
_NOT_HERE: Final = Bilingual(
    fr="cette plateforme n'écrit pas ce format : choisissez ndjson ou csv, ou demandez l'extra « parquet » à "
    "son exploitant",
    en="this exchange does not write this format: choose ndjson or csv, or ask its operator for the extra 'parquet'",
)
