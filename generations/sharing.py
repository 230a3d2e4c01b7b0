"""Share links: who may make one, what it covers, whether it opens, and what becomes of it.

The address holds 256 random bits, of which only the SHA-256 is kept: it is told once, when the link is made. Whether a
link opens is decided anew for each request, from the link, the rules of the house and what its owner may see now.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from generations import queries, tokens
from generations.models import Audience, Batch, Creation, HouseRules, Role, ShareLink, Task, User, Visibility

Thing = Task | Batch

OFFERED_DAYS = 7  # for anyone, unless the house allows fewer
SWITCHED_OFF = gettext_lazy("Links for anyone are switched off. An administrator can switch them on.")
NOT_YOURS = gettext_lazy("Only the owner of a clip and administrators may open it to anyone.")
ONLY_LOOKS = gettext_lazy("Auditors see everything and change nothing: they share nothing either.")
REVOKED_STAYS = gettext_lazy("This link was revoked, and stays so. Make a new one instead.")


class Refused(Exception):
    """Somebody asked for what they may not have. ``sentence`` says why, ``field`` names what it is about."""

    def __init__(self, sentence: str | Promise, field: str = "") -> None:
        super().__init__(str(sentence))
        self.sentence, self.field = str(sentence), field


class LinkState(models.TextChoices):
    OPEN = "open", pgettext_lazy("share link", "Open")
    REVOKED = "revoked", gettext_lazy("Revoked")
    EXPIRED = "expired", pgettext_lazy("share link", "Ended")
    OFF = "off", gettext_lazy("Switched off")  # links for anyone are in the whole house, or may not be its owner's
    LEFT = "left", gettext_lazy("Ended: its owner left")
    EMPTY = "empty", gettext_lazy("Nothing left to show")  # deleted, or no longer for its owner to see


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody wishes for a new link. ``days`` until it ends, None for never."""

    audience: str = Audience.TEAM
    days: int | None = None
    label: str = ""
    passphrase: str = ""
    allow_download: bool = True
    show_settings: bool = True


@dataclass(frozen=True, slots=True)
class Clip:
    """One of the clips of a link. ``number``, from 1, stays the same whatever else drops out of the link."""

    number: int
    task: Task
    creation: Creation


@dataclass(frozen=True, slots=True)
class Found:
    """A link by its token, whatever became of it."""

    link: ShareLink
    state: LinkState
    tasks: list[Task]

    @property
    def clips(self) -> list[Clip]:
        """Those of which there is a copy; what is still being made appears when it is there."""
        made = ((task, queries.stored_clip(task)) for task in self.tasks)
        return [Clip(_number(self.link, task), task, creation) for task, creation in made if creation]


# --- What a link covers ------------------------------------------------------------------------------------------


def tasks_of(link: ShareLink) -> QuerySet[Task]:
    """The tasks that a link covers, in their order: what it names, as far as its owner may see it now.

    Page, files and lists all ask here, so another kind of thing to share is one more line in ``_covered``.
    """
    return queries.tasks_for(link.owner).filter(_covered([link])).order_by("position").prefetch_related("creations")


def tasks_of_all(links: Iterable[ShareLink]) -> dict[UUID, list[Task]]:
    """The same for a list of links, in two queries for each of their owners."""
    by_owner: dict[User, list[ShareLink]] = {}
    for link in links:
        by_owner.setdefault(link.owner, []).append(link)
    found: dict[UUID, list[Task]] = {}
    for owner, theirs in by_owner.items():
        tasks = list(
            queries.tasks_for(owner).filter(_covered(theirs)).order_by("position").prefetch_related("creations")
        )
        found |= {link.pk: [task for task in tasks if _is_covered(link, task)] for link in theirs}
    return found


def _covered(links: Iterable[ShareLink]) -> Q:
    links = list(links)
    alone = [link.task_id for link in links if link.task_id]
    batches = [link.batch_id for link in links if link.batch_id]
    return Q(pk__in=alone) | Q(batch__in=batches)


def _is_covered(link: ShareLink, task: Task) -> bool:
    return link.batch_id == task.batch_id if link.batch_id else link.task_id == task.pk


def _number(link: ShareLink, task: Task) -> int:
    return task.position + 1 if link.batch_id else 1


def parts(person: User, thing: Thing) -> list[Task]:
    """The tasks that this person would share with a link to this."""
    wanted = Q(batch=thing) if isinstance(thing, Batch) else Q(pk=thing.pk)
    tasks = queries.tasks_for(person).filter(wanted).order_by("position")
    return list(tasks.select_related("owner").prefetch_related("creations"))


# --- Who may -----------------------------------------------------------------------------------------------------


def why_not(person: User, thing: Thing, audience: str, rules: HouseRules) -> str:
    """Why this person may make no such link, "" where they may.

    Whoever sees a clip may show it to everybody who signs in. To open it to the world is its owner's to decide.
    """
    if person.role == Role.AUDITOR:
        return str(ONLY_LOOKS)
    if audience != Audience.ANYONE:
        return ""
    if not rules.anyone_links:
        return str(SWITCHED_OFF)
    own = person.is_admin or all(task.is_of(person) for task in parts(person, thing))
    return "" if own else str(NOT_YOURS)


def widens(tasks: Iterable[Task]) -> bool:
    """Whether a link for everybody signed in shows these to more people than see them now."""
    return any(task.visibility == Visibility.PRIVATE or task.team_id for task in tasks)


def may_manage(person: User, link: ShareLink) -> bool:
    """Extend it: its owner and administrators."""
    return person.role != Role.AUDITOR and (link.owner_id == person.pk or person.is_admin)


def may_revoke(person: User, link: ShareLink) -> bool:
    """Whose clip it is may take it back too, whoever shared it."""
    return may_manage(person, link) or (_is_theirs(person, link) and person.role != Role.AUDITOR)


def may_be_of(person: User, link: ShareLink) -> bool:
    """Whether it may be open to its audience as this person's: ``why_not`` of a link that is there."""
    if link.audience != Audience.ANYONE:
        return True
    return person.role != Role.AUDITOR and (person.is_admin or _is_theirs(person, link))


def _is_theirs(person: User, link: ShareLink) -> bool:
    shared = link.task or link.batch
    return shared is not None and person.pk in (shared.owner_id, shared.owner.successor_id)


def links_on(person: User, task: Task) -> QuerySet[ShareLink]:
    """The links to this clip or its batch that this person may revoke, newest first; revoked ones are history."""
    links = _with_relations(ShareLink.objects.filter(Q(task=task) | Q(batch=task.batch_id), revoked_at=None))
    if person.is_admin or task.is_of(person):
        return links
    return links.filter(owner=person)


def links_of(person: User) -> QuerySet[ShareLink]:
    """All that are this person's, newest first."""
    return _with_relations(ShareLink.objects.filter(owner=person))


def _with_relations(links: QuerySet[ShareLink]) -> QuerySet[ShareLink]:
    return links.select_related("owner", "task__owner", "batch__owner", "revoked_by").order_by("-pk")


# --- Making and finding ------------------------------------------------------------------------------------------


def make(person: User, thing: Thing, terms: Terms) -> tuple[ShareLink, str]:
    """A new link and its token, which nobody can be told again. Raises Refused."""
    rules = HouseRules.now()
    if said := why_not(person, thing, terms.audience, rules):
        raise Refused(said, "audience")
    token, token_hash, token_end = tokens.new()
    link = ShareLink(
        token_hash=token_hash,
        token_end=token_end,
        label=terms.label,
        owner=person,
        created_by=person,
        audience=terms.audience,
        expires_at=_end(terms.audience, terms.days, rules),
        passphrase_hash=make_password(terms.passphrase) if terms.passphrase else "",
        allow_download=terms.allow_download,
        show_settings=terms.show_settings,
    )
    if isinstance(thing, Batch):
        link.batch = thing
    else:
        link.task = thing
    link.save()
    return link, token


def resolve(token: str) -> Found | None:
    """The link of this token and whether it opens at this moment; None if there never was one, or it is gone."""
    links = ShareLink.objects.select_related("owner", "task__owner", "batch__owner")
    link, rules = links.filter(token_hash=tokens.hash_of(token)).first(), HouseRules.now()
    if link is None:
        return None
    ended = _ended(link, rules)
    if ended:  # what it covers is not asked: the time it takes would tell such a link from one that never was
        return Found(link, ended, [])
    tasks = list(tasks_of(link))
    return Found(link, state_of(link, rules, tasks), tasks)


def state_of(link: ShareLink, rules: HouseRules, tasks: list[Task]) -> LinkState:
    """``tasks`` is what it covers."""
    if ended := _ended(link, rules):
        return ended
    if not tasks:
        return LinkState.EMPTY
    return LinkState.OPEN if may_be_of(link.owner, link) else LinkState.OFF


def _ended(link: ShareLink, rules: HouseRules) -> LinkState | None:
    """Why it opens no more, whatever it covers. The rules come first that nobody but an administrator can undo."""
    if link.revoked_at is not None:
        return LinkState.REVOKED
    if link.audience == Audience.ANYONE and not link.owner.is_active:
        return LinkState.LEFT
    if link.expires_at is not None and link.expires_at <= timezone.now():
        return LinkState.EXPIRED
    if link.audience == Audience.ANYONE and not rules.anyone_links:
        return LinkState.OFF
    return None


def still_open(links: QuerySet[ShareLink], rules: HouseRules) -> QuerySet[ShareLink]:
    """Those of a table that open, as ``state_of`` has it but for what they cover."""
    running = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    inside = ~Q(audience=Audience.ANYONE)
    opens = inside | _may_open() if rules.anyone_links else inside
    return links.filter(running, opens, revoked_at=None)


def _may_open() -> Q:
    """``may_be_of`` the owner of each, for those open to anyone; and that they are of the house."""
    own = Q(task__owner=F("owner")) | Q(batch__owner=F("owner"))
    left = Q(task__owner__successor=F("owner")) | Q(batch__owner__successor=F("owner"))
    return Q(owner__is_active=True) & (Q(owner__role=Role.ADMIN) | (~Q(owner__role=Role.AUDITOR) & (own | left)))


def _end(audience: str, days: int | None, rules: HouseRules) -> datetime | None:
    """``days`` from now. Raises Refused for a link for anyone that would never end, or too late."""
    if days is not None and days < 1:
        raise Refused(_("Choose a day that is still to come."), "days")
    if audience == Audience.ANYONE and (days is None or days > rules.anyone_days):
        said = _("A link for anyone ends after at most %(number)d days.") % {"number": rules.anyone_days}
        raise Refused(said, "days")
    return None if days is None else timezone.now() + timedelta(days=days)


# --- What becomes of it ------------------------------------------------------------------------------------------


def revoke(link: ShareLink, by: User | None) -> bool:
    """From this moment it opens for nobody. False when it was revoked before."""
    if link.revoked_at is not None:
        return False
    link.revoked_at, link.revoked_by = timezone.now(), by
    link.save(update_fields=["revoked_at", "revoked_by"])
    return True


def extend(link: ShareLink, days: int | None) -> None:
    """A new end under the same address, counted from now; one that has ended opens again. Raises Refused."""
    rules = HouseRules.now()
    if link.revoked_at is not None:
        raise Refused(REVOKED_STAYS)
    if link.audience == Audience.ANYONE and not rules.anyone_links:
        raise Refused(SWITCHED_OFF)
    if not may_be_of(link.owner, link):
        raise Refused(NOT_YOURS)
    link.expires_at = _end(link.audience, days, rules)
    link.save(update_fields=["expires_at"])


def transfer(link: ShareLink, to: User) -> None:
    """Another owner, the same address. Raises Refused for somebody with whom it could not go on."""
    told = {"name": to.display_name}
    if not to.is_active or to.role == Role.AUDITOR:
        raise Refused(_("%(name)s cannot have share links.") % told, "person")
    if not queries.tasks_for(to).filter(_covered([link])).exists():
        raise Refused(_("%(name)s may not see what this link shows.") % told, "person")
    if not may_be_of(to, link):
        raise Refused(NOT_YOURS, "person")
    link.owner = to
    link.save(update_fields=["owner"])


@transaction.atomic
def leave(owner: User, successor: User | None, *, end_all: bool, by: User | None = None) -> None:
    """Somebody leaves the house: links for anyone end, those of the team go on as the successor's, or all end.

    Ended ones become the successor's as well, so that a wish for a new one finds somebody. Clips move before this.
    """
    for link in ShareLink.objects.filter(owner=owner).select_related("owner"):
        if end_all or link.audience == Audience.ANYONE:
            revoke(link, by)
        if successor is not None:
            link.owner = successor
            link.save(update_fields=["owner"])
