"""What a person sets for themselves."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from generations.models import Theme
from generations.views.frame import HtmxHttpRequest


@login_required
@require_POST
def settings_look(request: HtmxHttpRequest) -> HttpResponse:
    """Theme and language. The cookie keeps the language for the pages before sign-in."""
    user, theme, language = request.user, request.POST.get("theme", ""), request.POST.get("language", "")
    if theme in Theme.values:
        user.theme = theme
    if language in dict(settings.LANGUAGES):
        user.language = language
    user.save(update_fields=["theme", "language"])
    response = redirect(_back(request))
    if user.language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response


def _back(request: HtmxHttpRequest) -> str:
    """Where the form was sent from, if that is one of our own pages."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return resolve_url(settings.LOGIN_REDIRECT_URL)
