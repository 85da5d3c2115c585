from django.urls import include, path

urlpatterns = [path("", include("apps.api.urls")), path("", include("apps.portal.urls"))]
handler404 = "apps.portal.urls.nothing_here"
