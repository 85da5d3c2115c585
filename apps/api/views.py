"""The query endpoint: GET and POST of one URL, and every answer as released clients expect it."""

import logging
import time
import uuid
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.api import render
from apps.api.entrance import Call, caller_of
from apps.api.metrics import count
from apps.api.query import BODY, LARGEST_BODY, parameters
from apps.api.sign_on import SIGN_ON
from apps.core.callers import Caller
from apps.core.commands import REGISTRY
from apps.core.dispatch import call as carry_out
from apps.core.errors import BadRequest, CloudError, MethodNotAllowed, UnsupportedAction, text_for
from apps.core.logs import request_id

log = logging.getLogger(__name__)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1;mode=block",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "POST", "HEAD", "OPTIONS")
REFUSED = {"PATCH": 501, "TRACE": 403}


def endpoint(request: HttpRequest, rest: str = "") -> HttpResponse:
    """One call, whatever it is."""
    begun, said_id = time.perf_counter(), request.headers.get("X-Request-Id", "")
    token = request_id.set(said_id if 8 <= len(said_id) <= 36 and said_id.isascii() else str(uuid.uuid4()))
    try:
        response = _answered(request)
        response["X-Request-Id"] = request_id.get()
        count(getattr(response, "command", ""), response.status_code, time.perf_counter() - begun)
        return response
    finally:
        request_id.reset(token)


def _answered(request: HttpRequest) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(headers={"Allow": ", ".join(METHODS)})
    if request.method not in METHODS:
        return HttpResponse(status=REFUSED.get(request.method or "", 405), headers={"Allow": ", ".join(METHODS)})
    response = HttpResponse(headers=HEADERS)
    call = Call(request, {})
    try:
        call = Call(request, parameters(request.META.get("QUERY_STRING", ""), _body(request)))
        _carry_out(call, response)
    except CloudError as problem:
        _refuse(call, response, problem)
    response.command = call.command if call.command in REGISTRY else ""  # type: ignore[attr-defined]
    return response


def _body(request: HttpRequest) -> str:
    if request.method != "POST" or (request.content_type or BODY) != BODY:
        return ""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        raise BadRequest(f"the body is larger than {LARGEST_BODY} bytes")
    return request.read(LARGEST_BODY).decode("utf-8", "replace")


def _carry_out(call: Call, response: HttpResponse) -> None:
    if sign_on := SIGN_ON.get(call.command.lower()):
        name = f"{call.command.lower()}response"
        return _say(call, response, name, sign_on(call, response), versioned=False)
    caller = caller_of(call)
    call.caller = caller
    answer = _run(caller, call)
    return _say(call, response, REGISTRY[call.command].response_name, answer)


def _run(caller: Caller, call: Call) -> dict[str, Any]:
    try:
        return carry_out(caller, call.command, **call.given)
    except CloudError:
        raise
    except Exception as error:
        log.exception("%s failed unexpectedly", call.command)
        raise CloudError(f"{type(error).__name__}: {error}") from error


def _say(call: Call, response: HttpResponse, name: str, answer: dict[str, Any], *, versioned: bool = True) -> None:
    response["Content-Type"] = render.JSON if call.as_json else render.XML
    response.content = render.body(name, answer, as_json=call.as_json, versioned=versioned)


def _refuse(call: Call, response: HttpResponse, problem: CloudError) -> None:
    """The status line is the error's own number; clients show X-Description in place of the body."""
    caller = call.caller
    text = text_for(problem, caller.is_root) if caller else str(problem)
    response.status_code, response.reason_phrase = problem.code, reason(problem)
    if problem.cs_code != -1:
        response["X-Description"] = text.replace("\r", " ").replace("\n", " ")
    if isinstance(problem, MethodNotAllowed):
        response["Content-Type"], response.content = render.JSON, text.encode()
        return
    answer = render.error(problem, text)
    versioned = caller is not None and not isinstance(problem, UnsupportedAction)
    _say(
        call,
        response,
        envelope(call, problem),
        answer if call.as_json else render.error_xml(answer),
        versioned=versioned,
    )


def envelope(call: Call, problem: CloudError) -> str:
    if not call.command:
        return "null" if call.as_json else "errorresponse"
    if isinstance(problem, UnsupportedAction):
        return "errorresponse"
    if call.command in ("login", "logout"):
        return f"{call.command}response"
    spec = REGISTRY.get(call.command)
    return spec.response_name if spec else "errorresponse"


def reason(problem: CloudError) -> str:
    try:
        return HTTPStatus(problem.code).phrase
    except ValueError:
        return type(problem).__name__
