"""Errors of REST: RFC 9457, with the numbers of the protocol for those who know them."""

from typing import Any

from apps.api.views import reason
from apps.core.errors import CloudError, LoginRefused, NoSuchRow, text_for
from apps.core.logs import request_id

TYPE = "application/problem+json"
# HTTP has no status of its own for most numbers. 431 is 404 for the row that the path names; see status_of.
STATUS = {430: 400, 431: 422, 432: 403, 511: 401, 530: 500, 531: 403, 532: 409, 533: 503, 534: 503, 535: 409, 536: 409}
STATUS |= {537: 409}
TITLES = {
    400: "The request cannot be read",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Not with this method",
    409: "Not as things are",
    415: "Not of a type that is read here",
    422: "A parameter is not right",
    429: "Too many calls",
    500: "Unexpected",
    503: "Not available now",
}


class NotFound(CloudError):
    code, cs_code = 404, -1


class NotWithThisMethod(CloudError):
    code, cs_code = 405, -1

    def __init__(self, allowed: list[str]):
        super().__init__(f"only {', '.join(allowed)}")
        self.allowed = allowed


def status_of(problem: CloudError, path_parameter: str = "") -> int:
    """An id in the path that nobody knows is 404; as a parameter it is one that is not right."""
    if isinstance(problem, NoSuchRow) and path_parameter and f"Invalid parameter {path_parameter} " in str(problem):
        return 404
    if isinstance(problem, LoginRefused):
        return 401
    return STATUS.get(problem.code, problem.code)


def body(problem: CloudError, status: int, *, is_root: bool) -> dict[str, Any]:
    number = {"cserrorcode": problem.cs_code} if problem.cs_code != -1 else {}
    uuids = [{"uuid": str(uuid), "description": name} for name, uuid in problem.uuids.items()]
    return {
        "type": f"/api/docs/errors#{problem.code}",
        "title": TITLES.get(status) or reason(problem),
        "status": status,
        "detail": text_for(problem, is_root),
        "instance": f"urn:uuid:{request_id.get()}" if len(request_id.get()) == 36 else request_id.get(),
        "errorcode": problem.code,
        **number,
        **({"uuids": uuids} if uuids else {}),
    }
