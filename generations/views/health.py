from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from generations import health


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when everything is alive, else 503 with the reasons; for monitors, so without sign-in and secrets."""
    troubles = health.troubles()
    if troubles:
        return JsonResponse({"ok": False, "troubles": troubles}, status=503)
    return JsonResponse({"ok": True, "troubles": [], "warnings": health.warnings()})
