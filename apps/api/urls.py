from django.urls import path

from apps.api import docs, health, views
from apps.api.rest import openapi
from apps.api.rest import views as rest

urlpatterns = [
    path("client/api", views.endpoint),
    path("client/api/<path:rest>", views.endpoint),
    path("client/api/", views.endpoint),
    path("api/v1/openapi.json", openapi.document),
    path("api/v1/<path:rest>", rest.endpoint),
    path("api/docs/", docs.index),
    path("api/docs/rest", docs.rest),
    path("api/docs/errors", docs.problems),
    path("api/docs/style.css", docs.style),
    path("api/docs/<str:name>", docs.command),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
]
