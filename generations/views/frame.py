"""What every page shows around its content."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import cached_property
from django_htmx.middleware import HtmxDetails

from generations import health, operations, queries
from generations.models import Theme, User


class HtmxHttpRequest(HttpRequest):
    """A request of somebody who is signed in, as the views behind ``login_required`` get it."""

    user: User
    htmx: HtmxDetails


@dataclass
class Frame:
    """Asked only when a template looks, so that fragments and empty answers cost no query."""

    user: User | None

    @property
    def theme(self) -> str:
        return self.user.theme if self.user and self.user.theme != Theme.AUTO else ""

    @cached_property
    def running(self) -> int:
        return queries.running_count(self.user) if self.user else 0

    @cached_property
    def worker_is_silent(self) -> bool:
        return self.user is not None and not health.worker_alive()

    @cached_property
    def copies_at_risk(self) -> int:
        """For staff: clips whose link at the vendor dies soon, without a copy of ours."""
        return operations.copies_at_risk() if self.user and self.user.is_staff else 0


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor. A bad host name is answered before anybody is known, hence the ``getattr``."""
    user = getattr(request, "user", None)
    return {"frame": Frame(user if isinstance(user, User) else None)}
