from django.urls import path

from apps.api import health, views

urlpatterns = [
    path("client/api", views.endpoint),
    path("client/api/<path:rest>", views.endpoint),
    path("client/api/", views.endpoint),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
]
