from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

# One door: who is not signed in is sent there, and a password is changed where everybody does.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns = [
    path(
        "admin/password_change/",
        RedirectView.as_view(pattern_name="account_change_password", http_method_names=["get", "head"]),
    ),
    path("admin/", admin.site.urls),
    path("", include("generations.urls")),
]
handler429 = "generations.views.sign_in.too_often"
