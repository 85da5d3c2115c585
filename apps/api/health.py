"""Is the process up, and can it work? For balancers and orchestrators; says nothing that a stranger may not know."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.api import metrics


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Ready with a database that has all its tables; the broker is not needed: what it loses is found again."""
    try:
        ready = _migrated()
    except DatabaseError:
        ready = False
    return JsonResponse({"ready": ready, "database": ready}, status=200 if ready else 503)


def _migrated() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM jobs_job WHERE 1 = 0")
    return True


def prometheus(request: HttpRequest) -> HttpResponse:
    return HttpResponse(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
