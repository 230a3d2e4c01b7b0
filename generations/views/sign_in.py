"""The doors of the house. django-allauth opens them; here stands which, when, and what its pages need besides."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from allauth.account.models import EmailAddress
from allauth.account.views import LoginView
from allauth.core.internal.ratelimit import consume_or_429
from allauth.mfa.models import Authenticator
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from generations.sign_in import sso as single_sign_on
from generations.views.frame import HtmxHttpRequest

View = Callable[..., HttpResponseBase]


class SignInView(LoginView):  # type: ignore[misc]
    template_name = "sign_in.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.VIDEOFORGE_OIDC_ONLY:
            raise PermissionDenied
        return super().post(request, *args, **kwargs)  # type: ignore[no-any-return]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # allauth hands on what was asked for, whatever it is; it looks at it only when somebody has come in.
        where_to = {"redirect_field_value": self.get_next_url() or ""}
        return dict(super().get_context_data(**kwargs)) | doors() | where_to


def doors() -> dict[str, Any]:
    """Which of them are open, for the pages before sign-in."""
    return {
        "sso_name": settings.VIDEOFORGE_OIDC_NAME if settings.VIDEOFORGE_OIDC_URL else "",
        "takes_passwords": not settings.VIDEOFORGE_OIDC_ONLY,
        "sends_mail": settings.VIDEOFORGE_SENDS_MAIL,
    }


def with_own_secrets(view: View) -> View:
    """For pages about passwords and passkeys: there are none where all come in by single sign-on."""

    @wraps(view)
    def only_then(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if settings.VIDEOFORGE_OIDC_ONLY:
            raise Http404
        return view(request, *args, **kwargs)

    return only_then


def with_mail(view: View) -> View:
    """A new password by mail needs mail."""

    @wraps(view)
    def only_then(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.VIDEOFORGE_SENDS_MAIL:
            raise Http404
        return view(request, *args, **kwargs)

    return with_own_secrets(only_then)


def seldom(view: View) -> View:
    """For pages that remember something for whoever looks at them: each look without a cookie is a row."""

    @wraps(view)
    def only_then(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        throttled: HttpResponse | None = consume_or_429(request, app="allauth.account", action="login", limit_get=True)
        return throttled or view(request, *args, **kwargs)

    return only_then


def too_often(request: HttpRequest) -> HttpResponse:
    return render(request, "429.html", status=429)


@never_cache
@require_GET
@seldom
def sso(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Off to the provider. A link, no form: the policy of our pages lets forms lead nowhere else.

    allauth would take more from the query than ``next``, the scope and the provider's own parameters among it.
    """
    wanted = {"auth_params": urlencode({"nonce": single_sign_on.new_nonce(request)})}
    if "next" in request.GET:
        wanted["next"] = request.GET["next"]
    request.GET = QueryDict(urlencode(wanted))
    return _at_provider(request, OAuth2LoginView)


@never_cache
@require_GET
def sso_callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    return _at_provider(request, OAuth2CallbackView)


def _at_provider(request: HttpRequest, step: Any) -> HttpResponseBase:
    provider = single_sign_on.Provider(request)
    try:
        answer: HttpResponseBase = step.adapter_view(provider)(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except OAuth2Error as error:
        answer = render_authentication_error(request, provider.get_provider(), exception=error)
    return answer


@login_required
@never_cache
def settings_sign_in(request: HtmxHttpRequest) -> HttpResponse:
    """By which doors this person comes in, and where they are signed in now."""
    person = request.user
    own = Authenticator.objects.filter(user=person)
    codes = own.filter(type=Authenticator.Type.RECOVERY_CODES).first()
    context = doors() | {
        "passkeys": own.filter(type=Authenticator.Type.WEBAUTHN).count(),
        "app": own.filter(type=Authenticator.Type.TOTP).first(),
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "devices": len(UserSession.objects.purge_and_list(person)),
        "linked": SocialAccount.objects.filter(user=person, provider=single_sign_on.SSO).first(),
        "email": EmailAddress.objects.get_primary_email(person) or person.email,
    }
    return render(request, "settings_sign_in.html", context)
