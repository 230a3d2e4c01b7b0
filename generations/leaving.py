"""Somebody leaves the house, or comes back. Nothing is deleted and nothing is rewritten: whoever made a clip made it.

What they leave is their successor's to see and to decide about, see ``queries.tasks_for`` and ``Task.is_of``.
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from generations import invitations, sessions, sharing
from generations.models import Asset, Audience, Invitation, Role, ShareLink, Task, TaskState, User


class CannotLeave(Exception):
    """``why`` is "last" (nobody would be left to change things), "gone", or "successor" (who cannot take over)."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Estate:
    """What somebody would leave behind, in numbers."""

    clips: int
    running: int
    pictures: int
    team_links: int
    open_links: int


def estate_of(person: User) -> Estate:
    tasks = Task.objects.filter(owner=person)
    links = ShareLink.objects.filter(owner=person, revoked_at=None)
    return Estate(
        tasks.count(),
        tasks.filter(state__in=TaskState.open()).count(),
        Asset.objects.filter(owner=person).count(),
        links.filter(audience=Audience.TEAM).count(),
        links.filter(audience=Audience.ANYONE).count(),
    )


def leave(person: User, actor: User, *, successor: User | None = None, end_all_links: bool = False) -> None:
    """End a person's access from their next request on. What runs goes on. Raises CannotLeave, and changes nothing."""
    with transaction.atomic():
        # All at once, in one order: two administrators must not send each other away.
        people = {each.pk: each for each in User.objects.select_for_update().filter(is_active=True).order_by("pk")}
        _check(people, person, successor)
        leaver = people[person.pk]
        leaver.is_active, leaver.left_at, leaver.successor = False, timezone.now(), successor
        leaver.save(update_fields=["is_active", "left_at", "successor"])
        # Who took over from others before hands that on as well.
        User.objects.filter(successor=leaver).update(successor=successor)
        invitations.revoke(Invitation.objects.filter(created_by=leaver))
        sharing.leave(leaver, successor, end_all=end_all_links, by=actor)
    # After that: reading all sessions takes a moment, and nobody else is to wait for the rows of all people.
    sessions.end_all_of([leaver.pk])


def come_back(person: User) -> None:
    """Let somebody in again; what is theirs is theirs again, but for links that ended or have another owner now."""
    sessions.end_all_of([person.pk])  # one that was left open must not go on where it stopped
    person.is_active, person.left_at, person.successor = True, None, None
    person.save(update_fields=["is_active", "left_at", "successor"])


def _check(people: dict[int, User], person: User, successor: User | None) -> None:
    if person.pk not in people:
        raise CannotLeave("gone")
    if successor is not None and (successor.pk == person.pk or successor.pk not in people):
        raise CannotLeave("successor")
    others = (each for pk, each in people.items() if pk != person.pk)
    if people[person.pk].role == Role.ADMIN and not any(each.role == Role.ADMIN for each in others):
        raise CannotLeave("last")
