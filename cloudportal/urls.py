from importlib.util import find_spec

from django.urls import include, path

urlpatterns = [path("", include("apps.api.urls"))] if find_spec("apps.api.urls") else []
