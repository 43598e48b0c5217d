"""The log in public: checkpoint, tiles, entry bundles (C2SP tlog-tiles) and proofs (RFC 6962).

Nothing here needs a credential: the public sees commitments alone.
"""

from __future__ import annotations

import base64
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from audit.checkpoints import Checkpoint
from audit.cosigned import read_cosigned
from audit.errors import AuditError, MalformedTilePathError, NotInLogError
from audit.proofs import consistency, inclusion_and_root, read_entry_bundle, read_tile
from audit.tiles import EntryBundle, parse_tile_path
from gateway.errors import InvalidQueryError, NotFoundError
from gateway.http.queries import Index, Size
from gateway.http.services import services

router = APIRouter(tags=["log"])

_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_NEVER: Final = {"Cache-Control": "no-cache"}


@router.get("/log/checkpoint", summary="The latest signed tree head")
async def checkpoint(request: Request) -> Response:
    """Answer a C2SP checkpoint, with what witnesses have cosigned of it by now.

    404 in the first instant of an exchange, before the first one is signed.
    """
    latest = services(request).checkpoints.latest
    if latest is None:
        raise NotFoundError
    return _note(latest)


@router.get("/log/cosigned-checkpoint", summary="The latest signed tree head that enough witnesses have cosigned")
async def cosigned_checkpoint(request: Request) -> Response:
    """Answer the largest checkpoint that is cosigned as the exchange's policy demands; 404 where there is none."""
    use = services(request)
    if use.witness_policy is None:
        raise NotFoundError
    async with use.store.reading() as connection:
        found = await read_cosigned(connection, use.witness_policy.is_met_by)
    if found is None:
        raise NotFoundError
    return _note(found)


@router.get("/log/tile/{path:path}", summary="A tile, or an entry bundle")
async def tile(request: Request, path: str) -> Response:  # noqa: ARG001 - the route's pattern, for its documentation
    """Answer the hashes of a tile, or the commitments of an entry bundle, full or partial."""
    try:
        # the request's own path: a route's parameter has lost a newline at its end
        wanted = parse_tile_path(request.scope["path"].removeprefix("/log/"))
        async with services(request).store.reading() as connection:
            if isinstance(wanted, EntryBundle):
                data = await read_entry_bundle(connection, wanted.index, wanted.width)
            else:
                data = await read_tile(connection, wanted.level, wanted.index, wanted.width)
    except (MalformedTilePathError, NotInLogError) as error:
        raise NotFoundError from error
    return Response(data, media_type="application/octet-stream", headers=dict(_FOREVER))


@router.get("/v1/log/proofs/inclusion", summary="Prove that an entry is in the log")
async def inclusion_proof(
    request: Request,
    index: Annotated[Index, Query()],
    size: Annotated[Size | None, Query()] = None,
) -> Response:
    """Answer the audit path of entry ``index`` in the tree of ``size`` entries, by default the last checkpoint's."""
    tree = _published(request) if size is None else size
    try:
        async with services(request).store.reading() as connection:
            proof, root = await inclusion_and_root(connection, index, tree)
    except AuditError as error:
        raise InvalidQueryError(error.reason) from error
    return _proof({"index": index, "size": tree, "root": _text(root), "proof": [_text(each) for each in proof]})


@router.get("/v1/log/proofs/consistency", summary="Prove that the log only grew")
async def consistency_proof(
    request: Request,
    first: Annotated[Size, Query()],
    second: Annotated[Size | None, Query()] = None,
) -> Response:
    """Answer the proof that the tree of ``second`` entries, by default the last checkpoint's, continues ``first``."""
    tree = _published(request) if second is None else second
    try:
        async with services(request).store.reading() as connection:
            proof = await consistency(connection, first, tree)
    except AuditError as error:
        raise InvalidQueryError(error.reason) from error
    return _proof({"first": first, "second": tree, "proof": [_text(each) for each in proof]})


def _note(found: Checkpoint) -> Response:
    return Response(found.published, media_type="text/plain; charset=utf-8", headers=dict(_NEVER))


def _published(request: Request) -> int:
    latest = services(request).checkpoints.latest
    if latest is None:
        raise NotFoundError
    return latest.size


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _proof(document: dict[str, object]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
