"""``/docs`` and ``/asyncapi.json``: the wire contract for people, and what travels on Kafka for programs."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from gateway.http.answers import json_answer
from gateway.http.asyncapi import asyncapi_document

router = APIRouter(include_in_schema=False)

_POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,h3{font-family:ui-monospace,monospace}h3{margin:2rem 0 .3rem}table{border-collapse:collapse;width:100%%}
td,th{border-bottom:1px solid #ccc;padding:.2rem .6rem;text-align:left;vertical-align:top}
</style></head><body>
"""


@router.get("/asyncapi.json")
async def asyncapi() -> Response:
    """Answer the AsyncAPI document of the exchange's topics."""
    return json_answer(asyncapi_document())


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Answer the OpenAPI document as a page that loads nothing from anywhere."""
    return HTMLResponse(_page(request.app.openapi()), headers=_POLICY)


def _page(document: dict[str, Any]) -> str:
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [_HEAD % title, f"<h1>{title}</h1><p>{escape(document['info']['summary'])}. ", _LINKS]
    for path, operations in sorted(document["paths"].items()):
        parts.extend(_operation(method, path, operation) for method, operation in operations.items())
    parts.append("</body></html>\n")
    return "".join(parts)


_LINKS: Final = '<a href="openapi.json">OpenAPI</a>, <a href="asyncapi.json">AsyncAPI</a></p>\n'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])}</td>"
        f"<td>{escape(', '.join(answer.get('content', {})))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<h3>{escape(method.upper())} {escape(path)}</h3><p>{escape(operation['summary'])}. "
        f"{escape(operation.get('description', ''))}</p><p>{_asked_for(operation)}</p>"
        f"<table><tr><th>Status</th><th>When</th><th>Media type</th></tr>{rows}</table>\n"
    )


def _asked_for(operation: dict[str, Any]) -> str:
    """Say which parameters, body and credential an operation takes."""
    told = [
        f"<code>{escape(each['name'])}</code> ({escape(each['in'])}{', required' if each.get('required') else ''})"
        for each in operation.get("parameters", ())
    ]
    if "requestBody" in operation:
        body = operation["requestBody"]
        told.append(f"body <code>{escape(', '.join(body['content']))}</code>: {escape(body.get('description', ''))}")
    told.extend(f"bearer token, scope {escape(', '.join(each['bearer']))}" for each in operation.get("security", ()))
    return "; ".join(told)
