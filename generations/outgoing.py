"""Who may be asked from here: the public internet, what administrators allowed, and a key's own entered address."""

import logging

from django.utils import timezone

from generations import addresses
from generations.guard import HOW_TO_ALLOW, Guard, check_url
from generations.models import AllowedHost, Creation, CreationState
from generations.providers import PROVIDERS

log = logging.getLogger("videoforge.outgoing")


def guard_for(creation: Creation) -> Guard:
    """For the links of one result."""
    task = creation.task
    base_url = task.attempt.base_url if task.attempt else task.key.base_url
    allowed = AllowedHost.objects.values_list("host", flat=True)
    return Guard({*allowed, *_entered(task.provider, base_url)})


def guard_of(address: str) -> Guard:
    """For an address that the operator named, and whatever it leads to."""
    return Guard({*AllowedHost.objects.values_list("host", flat=True), *_host_of(address)})


def _entered(provider: str, base_url: str) -> set[str]:
    """The host of a base address that somebody here entered. Those that ship with us are public and need no exception.

    What runs on this machine may name it by any of its names.
    """
    if provider in PROVIDERS and base_url.rstrip("/") in PROVIDERS[provider].base_urls:
        return set()
    return _host_of(base_url)


def _host_of(address: str) -> set[str]:
    try:
        return set(addresses.LOOPBACK) if addresses.is_loopback(address) else {check_url(address)}
    except (OSError, ValueError):  # no address at all: nothing can have been sent there
        return set()


def try_refused_again() -> int:
    """More is allowed now: copies that were refused need not wait for their next time. Returns how many they are."""
    waiting = Creation.objects.filter(state=CreationState.PENDING, last_error__contains=HOW_TO_ALLOW)
    number = waiting.filter(next_try_at__gt=timezone.now()).update(next_try_at=timezone.now())
    if number:
        log.info("%d copies that were refused are tried again", number)
    return number
