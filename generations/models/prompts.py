import hashlib

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7


class Visibility(models.TextChoices):
    TEAM = "team", _("Everyone signed in")  # or the people of the team that a task names
    PRIVATE = "private", _("Only me and administrators")


class Prompt(models.Model):
    """A text with its author; tasks keep their own copy, so editing one never changes the past."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="prompts")
    text = models.TextField(_("text"))
    digest = models.CharField(max_length=64, editable=False)
    title = models.CharField(_("title"), max_length=120, blank=True, default="")
    saved = models.BooleanField(_("in the library"), default=False)
    visibility = models.CharField(_("visible to"), max_length=7, choices=Visibility.choices, default=Visibility.TEAM)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("prompt")
        verbose_name_plural = _("prompts")
        constraints = (models.UniqueConstraint(fields=("author", "digest"), name="one_prompt_per_author_and_text"),)
        indexes = (models.Index(fields=("author", "saved", "-id"), name="prompt_by_author"),)

    def __str__(self) -> str:
        return self.title or self.text[:60]

    @staticmethod
    def digest_of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()


class AssetKind(models.TextChoices):
    UPLOAD = "upload", _("Upload")
    POSTER = "poster", _("Poster of a clip")
    LAST_FRAME = "last_frame", _("Last frame of a clip")


class Asset(models.Model):
    """An input image, checked and re-encoded without metadata. The same picture of one person is kept once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="assets")
    kind = models.CharField(max_length=10, choices=AssetKind.choices, default=AssetKind.UPLOAD)
    source = models.ForeignKey("Creation", models.SET_NULL, null=True, related_name="+")  # a still of this clip
    file = models.FileField(max_length=200)
    content_type = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text=_("bytes"))
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    name = models.CharField(max_length=120, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("input image")
        verbose_name_plural = _("input images")
        constraints = (models.UniqueConstraint(fields=("owner", "sha256"), name="one_asset_per_owner_and_content"),)

    def __str__(self) -> str:
        return self.name or str(self.pk)
