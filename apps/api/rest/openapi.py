"""OpenAPI 3.1 of REST, from the declarations that serve it. One document per process, made at the first request."""

import hashlib
from functools import cache
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.api import describe
from apps.api.packing import packed
from apps.api.render import VERSION
from apps.api.rest import schemas
from apps.api.rest.paths import ROOT, Route, routes
from apps.api.views import HEADERS
from apps.core.commands import REGISTRY, Spec
from apps.core.wire import Field, Map

Document = dict[str, Any]
PROBLEM = {"description": "What went wrong", "content": {"application/problem+json": {"schema": {}}}}
PROBLEM["content"]["application/problem+json"]["schema"] = {"$ref": "#/components/schemas/Problem"}  # type: ignore[index]
SIGNED = (
    "HMAC-SHA1 with the secret key over all query parameters and the three that are not sent, :method, :path and :body "
    "(SHA-256 of the body, hexadecimal), in the form that the query API signs; with apikey and expires. "
    "See /api/docs/rest."
)
SECURITY = {
    "signature": {"type": "apiKey", "in": "query", "name": "signature", "description": SIGNED},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "cloudportal_session",
        "description": "POST /session sets it",
    },
    "sessionKey": {"type": "apiKey", "in": "header", "name": "X-Session-Key", "description": "POST /session tells it"},
}


def document(request: HttpRequest) -> HttpResponse:
    """For everybody: it says what there is, and nothing of what is in it."""
    body, tag = whole()
    headers = HEADERS | {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    return packed(request, HttpResponse(body, content_type="application/json", headers=headers))


@cache
def whole() -> tuple[bytes, str]:
    body = orjson.dumps(made())
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def made() -> Document:
    paths: dict[str, Document] = {}
    for (method, path), route in sorted(routes().items(), key=lambda pair: (pair[0][1], pair[0][0])):
        paths.setdefault(path, {})[method.lower()] = operation(route)
    paths["/commands/{name}"] = {"post": any_command()}
    paths["/session"] = session()
    rows = {name: schemas.of_answer(response) for response, name in schemas.names().items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cloudportal",
            "version": VERSION,
            "summary": "Machines, disks and networks of a cloud",
            "description": "The commands of the query API as resources. How to sign: /api/docs/rest.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"signature": []}, {"session": [], "sessionKey": []}],
        "tags": [{"name": name} for name in sorted({area_of(name) for name in REGISTRY})],
        "paths": paths,
        "components": {"schemas": {**rows, **SHARED}, "securitySchemes": SECURITY, "responses": {"Problem": PROBLEM}},
    }


def area_of(name: str) -> str:
    return str(describe.facts_of(name).get("area", "other"))


def operation(route: Route) -> Document:
    spec = route.spec
    found: Document = {
        "operationId": f"{route.command}ById" if route.is_one else route.command,
        "summary": describe.text_of(spec),
        "tags": [area_of(route.command)],
        "parameters": _parameters(route, spec),
        "responses": {**_answers(route, spec), "default": {"$ref": "#/components/responses/Problem"}},
    }
    if route.method in ("POST", "PATCH") and (body := _body(route, spec)):
        found["requestBody"] = body
    return found


def _parameters(route: Route, spec: Spec) -> list[Document]:
    found: list[Document] = []
    if route.id_parameter:
        found.append({"name": "id", "in": "path", "required": True, "schema": schemas.ID})
    if route.method in ("GET", "DELETE"):
        found += [_in_query(name, field) for name, field in _others(route, spec)]
    return found


def _others(route: Route, spec: Spec) -> list[tuple[str, Field]]:
    return [(name, field) for name, field in describe.parameters(spec) if name.lower() != route.id_parameter]


def _in_query(name: str, field: Field) -> Document:
    schema = schemas.of_parameter(field)
    text = schema.pop("description", "")
    found: Document = {"name": name, "in": "query", "description": text}
    if field.required:
        found["required"] = True
    if isinstance(field, Map):
        return found | {"content": {"application/json": {"schema": schema}}}
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": False}
    return found | {"schema": schema}


def _body(route: Route, spec: Spec) -> Document | None:
    fields = _others(route, spec)
    if not fields:
        return None
    schema: Document = {
        "type": "object",
        "properties": {name: schemas.of_parameter(field) for name, field in fields},
        "additionalProperties": False,
    }
    required = [name for name, field in fields if field.required]
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _answers(route: Route, spec: Spec) -> Document:
    if spec.is_async:
        where = {"Location": {"description": "the job", "schema": schemas.STRING}}
        return {"202": _json("Begun; the job says how it ends", {"$ref": "#/components/schemas/Begun"}, where)}
    if spec.response is None:
        return {"200": _json("Done", {"$ref": "#/components/schemas/Success"})}
    row = schemas.reference(spec.response)
    if route.command.startswith("list") and not route.is_one:
        items = {"count": {"type": "integer"}, "items": {"type": "array", "items": row}}
        return {"200": _json("The rows", {"type": "object", "properties": items, "required": ["count", "items"]})}
    is_new = route.method == "POST" and not route.id_parameter and route.path.count("/") == 1
    return {"201" if is_new else "200": _json("The row", row)}


def _json(text: str, schema: Document, headers: Document | None = None) -> Document:
    found: Document = {"description": text, "content": {"application/json": {"schema": schema}}}
    return {**found, "headers": headers} if headers else found


def any_command() -> Document:
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": sorted(REGISTRY)}}
    body = {"type": "object", "additionalProperties": True}
    return {
        "operationId": "anyCommand",
        "summary": "Calls a command by its name, with the parameters of the query API.",
        "tags": ["commands"],
        "parameters": [name],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _json("Done", {"type": "object"}),
            "202": _json("Begun; the job says how it ends", {"$ref": "#/components/schemas/Begun"}),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def session() -> Document:
    words = {"username": {}, "password": {"format": "password", "writeOnly": True}, "domain": {}, "domainid": {}}
    body = {
        "type": "object",
        "properties": {name: {**schemas.STRING, **more} for name, more in words.items()},
        "required": ["username", "password"],
    }
    problem = {"default": {"$ref": "#/components/responses/Problem"}}
    return {
        "post": {
            "operationId": "logIn",
            "summary": "Begins a session: a cookie, and a key to send with every request.",
            "tags": ["auth"],
            "security": [],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"201": _json("Who one is, and the key", {"type": "object"}), **problem},
        },
        "delete": {
            "operationId": "logOut",
            "summary": "Ends the session.",
            "tags": ["auth"],
            "responses": {"204": {"description": "Ended"}, **problem},
        },
    }


SHARED: dict[str, Document] = {
    "Begun": {
        "type": "object",
        "properties": {"jobid": schemas.ID, "id": schemas.ID},
        "required": ["jobid"],
        "description": "The job, and the row that it makes.",
    },
    "Success": {
        "type": "object",
        "properties": {"success": {"type": "boolean"}, "displaytext": {"type": "string"}},
        "required": ["success"],
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457, with the numbers of the query API.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "errorcode": {"type": "integer"},
            "cserrorcode": {"type": "integer"},
            "uuids": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
        "required": ["type", "title", "status", "detail", "errorcode"],
    },
}
