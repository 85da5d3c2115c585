"""REST: resources under /api/v1, by the rule of ``paths``. A request ends in the same call as one of the query API."""

import logging
import time
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.api.metrics import count
from apps.api.packing import packed
from apps.api.rest import bodies, entrance, paths, problems
from apps.api.views import HEADERS, named, told
from apps.core.callers import Caller
from apps.core.commands import REGISTRY, Spec
from apps.core.dispatch import call
from apps.core.errors import BadRequest, CloudError, InvalidParameter, RateLimited
from apps.core.retry import answer_for

log = logging.getLogger(__name__)
COMMANDS = "/commands/"


def endpoint(request: HttpRequest, rest: str) -> HttpResponse:
    with named(request) as number:
        begun, work = time.perf_counter(), Work(request, f"/{rest}")
        response = told(work.answered())
        response["X-Request-Id"] = number
        count(work.command, response.status_code, time.perf_counter() - begun)
        return packed(request, response)


class Work:
    """One request: what it asks for, who asks, what is answered."""

    def __init__(self, request: HttpRequest, path: str):
        self.request, self.path = request, path
        self.method = "GET" if request.method == "HEAD" else request.method or ""
        self.command = ""
        self.caller: Caller | None = None
        self.id_parameter = ""
        self.response = HttpResponse(headers=HEADERS, content_type="application/json")

    def answered(self) -> HttpResponse:
        try:
            self._carry_out()
        except CloudError as problem:
            self._refuse(problem)
        except Exception as error:
            log.exception("%s %s failed unexpectedly", self.method, self.path)
            self._refuse(answer_for(error))
        return self.response

    def _carry_out(self) -> None:
        if self.path == "/session":
            return self._session()
        ways = self._ways()
        if self.request.method == "OPTIONS":
            self.response["Allow"] = ", ".join([*ways, "OPTIONS"])
            self.response.status_code = 204
            return None
        if self.method not in ways:
            raise problems.NotWithThisMethod(list(ways))
        route, given_id = ways[self.method]
        self.command, self.id_parameter = route.command, route.id_parameter
        sent = bodies.read(self.request)
        arguments = bodies.arguments(self.request)
        self.caller = entrance.caller_of(self.request, arguments, sent)
        params = self._params(route.spec, entrance.without_ours(arguments), sent)
        if route.id_parameter:
            params = self._with_id(params, route.id_parameter, given_id)
        answer = call(self.caller, route.command, **params)
        return self._say(route, answer)

    def _ways(self) -> dict[str, tuple[paths.Route, str]]:
        if self.path.startswith(COMMANDS):
            name = self.path.removeprefix(COMMANDS)
            found = {"POST": (paths.Route("POST", self.path, name), "")} if name in REGISTRY else {}
        else:
            found = paths.find(self.path)
        if not found:
            raise problems.NotFound(f"there is nothing at {paths.ROOT}{self.path}")
        return found

    def _params(self, spec: Spec, arguments: dict[str, str], sent: bytes) -> dict[str, str]:
        """Of a GET or DELETE from the query string, of the others from the body."""
        if self.method in ("GET", "DELETE"):
            if sent:
                raise BadRequest(f"{self.method} has no body: parameters stand in the query string")
            return bodies.query(spec, arguments)
        if arguments:
            raise BadRequest(f"{', '.join(arguments)}: the parameters of a {self.method} stand in its body")
        return bodies.flat(spec, bodies.parsed(self.request, sent))

    def _with_id(self, params: dict[str, str], parameter: str, given: str) -> dict[str, str]:
        if any(name.lower() == parameter for name in params):
            raise InvalidParameter(f"{parameter}: the path says it already")
        return {**params, parameter: given}

    def _session(self) -> None:
        if self.method == "POST":
            body = bodies.parsed(self.request, bodies.read(self.request))
            answer = entrance.log_in(self.request, body, self.response)
            self._write(answer, 201)
        elif self.method == "DELETE":
            entrance.log_out(self.request, self.response)
            self.response.status_code = 204
        else:
            raise problems.NotWithThisMethod(["POST", "DELETE"])

    def _say(self, route: paths.Route, answer: dict[str, Any]) -> None:
        spec = route.spec
        if spec.is_async and "jobid" in answer:
            self.response["Location"] = f"{paths.ROOT}/async-jobs/{answer['jobid']}"
            return self._write(answer, 202)
        name = spec.response.wire_name if spec.response else ""
        rows = answer.get(name)
        if route.is_one:
            return self._write(self._only(rows), 200)
        if isinstance(rows, dict):
            return self._made(route, rows, {key: value for key, value in answer.items() if key != name})
        if isinstance(rows, list) or route.command.startswith("list"):
            return self._write({"count": answer.get("count", 0), "items": rows or []}, 200)
        return self._write(answer, 200)

    def _only(self, rows: Any) -> dict[str, Any]:
        if not rows:
            raise problems.NotFound("there is no such row, or it is not yours to see")
        return dict(rows[0])

    def _made(self, route: paths.Route, row: dict[str, Any], beside: dict[str, Any]) -> None:
        is_new = route.method == "POST" and not route.id_parameter and route.path.count("/") == 1
        if is_new and "id" in row:
            self.response["Location"] = f"{paths.ROOT}{route.path}/{row['id']}"
        self._write({**row, **beside}, 201 if is_new else 200)

    def _write(self, answer: Any, status: int) -> None:
        self.response.status_code = status
        self.response.content = orjson.dumps(answer)

    def _refuse(self, problem: CloudError) -> None:
        status = problems.status_of(problem, self.id_parameter)
        is_root = self.caller.is_root if self.caller else problem.code < 530 or problem.cs_code == -1
        self._write(problems.body(problem, status, is_root=is_root), status)
        self.response["Content-Type"] = problems.TYPE
        if isinstance(problem, problems.NotWithThisMethod):
            self.response["Allow"] = ", ".join([*problem.allowed, "OPTIONS"])
        if status == 401:
            self.response["WWW-Authenticate"] = 'Signature realm="cloudportal"'
        if isinstance(problem, RateLimited):
            self.response["Retry-After"] = str(problem.retry_in)
