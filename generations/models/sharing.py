from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7

from generations.models.tasks import Batch, Task


class Audience(models.TextChoices):
    TEAM = "team", _("Everyone signed in")
    ANYONE = "anyone", _("Anyone with the link")


class ShareLink(models.Model):
    """A revocable address for a clip or a batch. Only the hash of its token is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token_hash = models.CharField(max_length=64, unique=True)
    token_end = models.CharField(max_length=4)  # enough for its owner to tell two links apart
    label = models.CharField(_("label"), max_length=120, blank=True, default="")
    task = models.ForeignKey(Task, models.CASCADE, null=True, related_name="share_links")
    batch = models.ForeignKey(Batch, models.CASCADE, null=True, related_name="share_links")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="share_links")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    audience = models.CharField(_("audience"), max_length=6, choices=Audience.choices, default=Audience.TEAM)
    expires_at = models.DateTimeField(_("expires"), null=True)
    passphrase_hash = models.CharField(max_length=256, blank=True, default="")
    allow_download = models.BooleanField(_("download"), default=True)
    show_settings = models.BooleanField(_("show prompt and settings"), default=True)
    view_count = models.PositiveIntegerField(default=0)
    download_count = models.PositiveIntegerField(default=0)
    first_opened_at = models.DateTimeField(null=True)
    last_opened_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("share link")
        verbose_name_plural = _("share links")
        constraints = (
            models.CheckConstraint(
                condition=Q(task__isnull=False, batch__isnull=True) | Q(task__isnull=True, batch__isnull=False),
                name="share_link_covers_one_thing",
            ),
            models.CheckConstraint(
                condition=~Q(audience="anyone") | Q(expires_at__isnull=False), name="open_share_link_expires"
            ),
        )
        indexes = (models.Index(fields=("owner", "-id"), name="share_link_by_owner"),)

    def __str__(self) -> str:
        return self.label or f"…{self.token_end}"


class ShareVisit(models.Model):
    """How often somebody opened a link. People of the house by name; all others are one row without one."""

    link = models.ForeignKey(ShareLink, models.CASCADE, related_name="visits")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    views = models.PositiveIntegerField(default=0)
    downloads = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(null=True)  # when this person asked its owner for a new link

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("link", "person"), name="one_visit_row_per_person"),
            models.UniqueConstraint(
                fields=("link",), condition=Q(person__isnull=True), name="one_visit_row_of_outsiders"
            ),
        )

    def __str__(self) -> str:
        return f"{self.link_id} {self.person_id or 'outside'}"
