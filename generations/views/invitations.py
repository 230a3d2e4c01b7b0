"""The page that an invitation leads to."""

from allauth.account.utils import perform_login
from allauth.core.internal.ratelimit import consume_or_429
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from generations import invitations
from generations.forms.join import JoinForm
from generations.models import Invitation
from generations.sign_in.people import INVITED
from generations.views.sign_in import doors


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Wrong, used, expired and taken back look alike: nobody learns which addresses once were good."""
    found = invitations.find(token)
    if found is None:
        return _gone(request)
    if request.user.is_authenticated:
        return render(request, "invitation_signed_in.html", {"invitation": found})
    if request.method == "POST" and not settings.VIDEOFORGE_OIDC_ONLY:
        return _join(request, found)
    # For the way by the provider, which comes back at another address.
    request.session[INVITED] = found.token_hash
    return _page(request, found, JoinForm(found))


def _join(request: HttpRequest, found: Invitation) -> HttpResponseBase:
    throttled: HttpResponse | None = consume_or_429(request, app="allauth.account", action="signup")
    if throttled:
        return throttled
    with_passkey = request.POST.get("with") == "passkey"
    form = JoinForm(found, request.POST, with_passkey=with_passkey)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    try:
        person = invitations.accept(found, form.person())
    except invitations.Gone:
        return _gone(request)
    request.session.pop(INVITED, None)
    there = reverse("mfa_add_webauthn" if with_passkey else "home")
    answer: HttpResponseBase = perform_login(request, person, email_verification="none", redirect_url=there)
    return answer


def _page(request: HttpRequest, found: Invitation, form: JoinForm, status: int = 200) -> HttpResponse:
    teams = invitations.teams_of(found)
    context = doors() | {"invitation": found, "form": form, "teams": teams}
    return render(request, "invitation.html", context, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "invitation_gone.html", status=404)
