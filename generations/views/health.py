from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from generations import audit, health


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when everything is alive, else 503 with the reasons; for monitors, so without sign-in and secrets."""
    troubles = health.troubles()
    if troubles:
        return JsonResponse({"ok": False, "troubles": troubles}, status=503)
    # How the work stands is nobody's business elsewhere.
    here = audit.is_loopback(audit.address_of(request) or "unknown")
    return JsonResponse({"ok": True, "troubles": [], "warnings": health.warnings() if here else []})
