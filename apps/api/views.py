"""The query endpoint: GET and POST of one URL, and every answer as released clients expect it."""

import logging
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.api import render
from apps.api.entrance import Call, caller_of
from apps.api.metrics import count
from apps.api.packing import packed
from apps.api.query import BODY, LARGEST_BODY, parameters
from apps.api.sign_on import SIGN_ON
from apps.api.signing import ENFORCE
from apps.core.commands import REGISTRY
from apps.core.dispatch import call as carry_out
from apps.core.errors import BadRequest, CloudError, MethodNotAllowed, UnsupportedAction, text_for
from apps.core.logs import request_id
from apps.core.retry import answer_for

log = logging.getLogger(__name__)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1;mode=block",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "POST", "HEAD", "OPTIONS")
REFUSED = {"PATCH": 501, "TRACE": 403}
READING = re.compile(r"(get|list|query|find)\w+", re.ASCII)


@contextmanager
def named(request: HttpRequest) -> Iterator[str]:
    """While it is worked on, log lines and what it begins name this request: by the number that a proxy gave it."""
    said = request.headers.get("X-Request-Id", "")
    number = said if 8 <= len(said) <= 36 and said.isascii() and said.isprintable() else str(uuid.uuid4())
    token = request_id.set(number)
    try:
        yield number
    finally:
        request_id.reset(token)


def endpoint(request: HttpRequest, rest: str = "") -> HttpResponse:
    """One call, whatever it is."""
    with named(request) as number:
        begun = time.perf_counter()
        response = told(_answered(request))
        response["X-Request-Id"] = number
        count(getattr(response, "command", ""), response.status_code, time.perf_counter() - begun)
        return response


def told(response: HttpResponse) -> HttpResponse:
    """Django writes a line for every status from 400 on, as an error from 500 on: 531 is a tenant's mistake."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _answered(request: HttpRequest) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(headers={"Allow": ", ".join(METHODS)})
    if request.method not in METHODS:
        return HttpResponse(status=REFUSED.get(request.method or "", 405), headers={"Allow": ", ".join(METHODS)})
    response, query = HttpResponse(headers=HEADERS), request.META.get("QUERY_STRING", "")
    call = Call(request, parameters(query, ""))
    try:
        call = Call(request, parameters(query, _body(request)))
        _carry_out(call, response)
    except CloudError as problem:
        _refuse(call, response, problem)
    except Exception as error:
        log.exception("%s failed unexpectedly", call.command or "a call without a command")
        _refuse(call, response, answer_for(error))
    response.command = call.command if call.command in REGISTRY else ""  # type: ignore[attr-defined]
    return packed(request, response)


def _body(request: HttpRequest) -> str:
    if request.method != "POST" or (request.content_type or BODY) != BODY:
        return ""
    sent = request.read(LARGEST_BODY + 1)
    if len(sent) > LARGEST_BODY:
        raise BadRequest(f"the body is larger than {LARGEST_BODY} bytes")
    return sent.decode("utf-8", "replace")


def _carry_out(call: Call, response: HttpResponse) -> None:
    if sign_on := SIGN_ON.get(call.command.lower()):
        name = f"{call.command.lower()}response"
        return _say(call, response, name, sign_on(call, response), versioned=False)
    if call.command and ENFORCE.value() and call.request.method != "POST" and not READING.fullmatch(call.command):
        raise BadRequest(f"State changing command {call.command} needs to be sent using POST request")
    call.caller = caller_of(call)
    answer = carry_out(call.caller, call.command, **call.given)
    return _say(call, response, REGISTRY[call.command].response_name, answer)


def _say(call: Call, response: HttpResponse, name: str, answer: dict[str, Any], *, versioned: bool = True) -> None:
    response["Content-Type"] = render.json_type() if call.as_json else render.XML
    response.content = render.body(name, answer, as_json=call.as_json, versioned=versioned)


def _refuse(call: Call, response: HttpResponse, problem: CloudError) -> None:
    """The status line is the error's own number; clients show X-Description in place of the body."""
    caller = call.caller
    # Who was let in by nobody reads of nothing inside; what the entrance itself says is for everybody.
    text = text_for(problem, caller.is_root if caller else problem.code < 530 or problem.cs_code == -1)
    response.status_code, response.reason_phrase = problem.code, reason(problem)
    if problem.cs_code != -1:
        response["X-Description"] = text.replace("\r", " ").replace("\n", " ")
    if isinstance(problem, MethodNotAllowed):
        response["Content-Type"], response.content = render.json_type(), text.encode()
        return
    answer = render.error(problem, text, as_json=call.as_json)
    versioned = caller is not None and not isinstance(problem, UnsupportedAction)
    _say(call, response, envelope(call, problem), answer, versioned=versioned)


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
