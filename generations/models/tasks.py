import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7

from generations.models.keys import ProviderKey, provider_choices
from generations.models.people import User
from generations.models.prompts import Asset, Prompt, Visibility
from generations.providers.base import FailureClass, Mode, Money, Unit

MODE_CHOICES = [
    (Mode.TEXT.value, _("Text")),
    (Mode.IMAGE.value, _("Image")),
    (Mode.START_END.value, _("First + last frame")),
    (Mode.REFERENCE.value, _("References")),
    (Mode.UPSCALE.value, _("Upscale")),
    (Mode.EXTEND.value, _("Extend")),
    (Mode.TEMPLATE.value, _("Template")),
]
UNIT_CHOICES = [
    (Unit.CREDIT.value, _("credits")),
    (Unit.TOKEN.value, _("tokens")),
    (Unit.USD.value, "USD"),
    (Unit.CNY.value, "CNY"),
]


# A running task about which its vendor gave no good answer for so long is taken for forgotten there.
FORGOTTEN_AFTER, FORGOTTEN_AFTER_ERRORS = timedelta(hours=1), 10


class TaskState(models.TextChoices):
    WAITING = "waiting", _("Waiting")  # held by us for a free slot
    SUBMITTING = "submitting", _("Sending")  # claimed by one worker; the create may be on its way
    UNCERTAIN = "uncertain", _("Checking with the vendor")  # create sent, answer lost
    QUEUED = "queued", _("Queued")
    PROCESSING = "processing", _("Generating")
    ARCHIVING = "archiving", _("Saving a copy")
    SUCCEEDED = "succeeded", _("Ready")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    LOST = "lost", _("Result lost")

    @classmethod
    def open(cls) -> tuple["TaskState", ...]:
        """States that change by themselves: a page that shows one keeps looking."""
        return (cls.WAITING, cls.SUBMITTING, cls.UNCERTAIN, cls.QUEUED, cls.PROCESSING, cls.ARCHIVING)

    @classmethod
    def in_flight(cls) -> tuple["TaskState", ...]:
        """States that hold one of the key's slots at the vendor."""
        return (cls.SUBMITTING, cls.UNCERTAIN, cls.QUEUED, cls.PROCESSING)


class Batch(models.Model):
    """The tasks of one press of Generate. The form's request id makes a second press of the same form harmless."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="batches")
    request_id = models.UUIDField(unique=True)
    size = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return str(self.pk)


class Task(models.Model):
    """One paid request to a provider. ``state`` is written by ``lifecycle`` alone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="tasks", verbose_name=_("person"))
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="tasks")
    position = models.PositiveSmallIntegerField()  # within the batch, from 0
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="tasks", verbose_name=_("API key"))
    provider = models.SlugField(_("provider"), max_length=20, choices=provider_choices)
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="tasks", null=True)
    remix_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="remixes")
    visibility = models.CharField(max_length=7, choices=Visibility.choices, default=Visibility.TEAM)
    # Who is the team: None is everybody who signs in. Kept when a team goes, so that nothing opens up by that.
    team = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="tasks", verbose_name=_("team"))

    # What was asked for, frozen when Generate was pressed.
    mode = models.CharField(_("mode"), max_length=20, choices=MODE_CHOICES)
    model = models.CharField(_("model"), max_length=60)  # the catalogue's name
    wire_model = models.CharField(max_length=80)  # exactly as sent; some vendors want it again in queries
    prompt_text = models.TextField(_("prompt"), blank=True)
    duration = models.PositiveSmallIntegerField(_("duration"), help_text=_("seconds"))
    resolution = models.CharField(_("resolution"), max_length=10)
    aspect_ratio = models.CharField(_("aspect ratio"), max_length=10, blank=True, default="")
    seed = models.BigIntegerField(null=True)
    audio = models.BooleanField(null=True)
    off_peak = models.BooleanField(default=False)
    options = models.JSONField(default=dict)  # bgm, style, movement_amplitude, watermark, ...
    source = models.ForeignKey("Creation", models.SET_NULL, null=True, related_name="derived")  # upscaled or extended
    inputs = models.ManyToManyField(Asset, through="TaskInput", related_name="tasks")

    # Where it stands.
    state = models.CharField(_("state"), max_length=10, choices=TaskState.choices, default=TaskState.WAITING)
    progress = models.PositiveSmallIntegerField(null=True)  # percent, only where the vendor says one
    attempt = models.ForeignKey("Attempt", models.PROTECT, null=True, related_name="+")  # the current one
    failure_class = models.CharField(
        max_length=20, blank=True, default="", choices=[(cls.value, cls.value) for cls in FailureClass]
    )
    failure_code = models.CharField(max_length=80, blank=True, default="")
    failure_text = models.TextField(blank=True, default="")
    anomaly = models.TextField(blank=True, default="")  # what a vendor said that no document has, for admins

    # Money, each with its unit; None means nobody said.
    unit = models.CharField(_("unit"), max_length=6, choices=UNIT_CHOICES)  # of quote and charge: the vendor's
    estimate = models.DecimalField(_("estimate"), max_digits=14, decimal_places=4, null=True)  # ours, before submit
    estimate_unit = models.CharField(max_length=6, choices=UNIT_CHOICES, blank=True, default="")  # the price list's
    price_list = models.CharField(max_length=40, blank=True, default="")
    quote = models.DecimalField(_("quote"), max_digits=14, decimal_places=4, null=True)  # the vendor's, at create
    charge = models.DecimalField(_("charge"), max_digits=14, decimal_places=4, null=True)  # the vendor's, at the end

    # When. ``changed_at`` moves with everything a page shows; the live view asks by it.
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField(null=True)  # waiting: not before
    submitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(null=True)  # when the vendor's success was noticed; the copy comes after it
    finished_at = models.DateTimeField(null=True)
    next_poll_at = models.DateTimeField(null=True)  # queued and processing: when to ask again
    last_polled_at = models.DateTimeField(null=True)
    poll_errors = models.PositiveSmallIntegerField(default=0)  # in a row

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        constraints = (models.UniqueConstraint(fields=("batch", "position"), name="one_task_per_batch_position"),)
        indexes = (
            models.Index(fields=("owner", "-id"), name="task_feed_mine"),
            models.Index(fields=("owner", "state", "-id"), name="task_feed_mine_state"),
            models.Index(fields=("visibility", "state", "-id"), name="task_feed_team_state"),
            models.Index(fields=("owner", "changed_at"), name="task_live_mine"),
            models.Index(fields=("changed_at",), name="task_live_all"),
            models.Index(fields=("state", "next_poll_at"), name="task_due_poll"),
            models.Index(fields=("key", "state", "id"), name="task_by_key"),
            models.Index(fields=("made_at",), name="task_made", condition=Q(made_at__isnull=False)),
            models.Index(fields=("finished_at",), name="task_finished", condition=Q(finished_at__isnull=False)),
            # When it counts, see ``reports.rows``: the vendor's outcome where it was noticed, else the end.
            models.Index(Coalesce("made_at", "finished_at"), name="task_ended"),
            models.Index(
                fields=("key", "finished_at"),
                name="task_unconfirmed",
                condition=Q(charge__isnull=True, finished_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.state}"

    def is_of(self, user: User) -> bool:
        """Whether this person decides about it: who made it, or who took over from somebody who left."""
        return self.owner_id == user.pk or self.owner.successor_id == user.pk

    @property
    def is_open(self) -> bool:
        return self.state in TaskState.open()

    @property
    def price(self) -> Money | None:
        """The best figure known so far: what was charged, else quoted, else estimated."""
        known = ((self.charge, self.unit), (self.quote, self.unit), (self.estimate, self.estimate_unit or self.unit))
        return next((Money(amount, Unit(unit)) for amount, unit in known if amount is not None), None)


class TaskInput(models.Model):
    """An image of a task; the order matters (first and last frame, @Image1)."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="task_inputs")
    asset = models.ForeignKey(Asset, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(fields=("task", "position"), name="one_input_per_task_position"),)

    def __str__(self) -> str:
        return f"{self.task_id}[{self.position}]"


class AttemptState(models.TextChoices):
    CLAIMED = "claimed", _("Claimed")  # the intent is written down; surely nothing was sent yet
    SENT = "sent", _("Sent")  # written just before the one POST
    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused")  # the vendor said no, or the request surely never left
    UNKNOWN = "unknown", _("Answer lost")


class Attempt(models.Model):
    """One intent to create a task at a vendor and its one POST. Vendor, address and key are frozen here."""

    task = models.ForeignKey(Task, models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="attempts")
    provider = models.SlugField(max_length=20)
    base_url = models.URLField(max_length=200)
    token = models.CharField(max_length=64, unique=True)  # passed through by vendors that can
    body_digest = models.CharField(max_length=64, blank=True, default="")  # sha256 of the JSON sent
    state = models.CharField(max_length=10, choices=AttemptState.choices, default=AttemptState.CLAIMED)
    remote_id = models.CharField(max_length=120, blank=True, default="")
    failure_code = models.CharField(max_length=80, blank=True, default="")
    claimed_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(null=True)  # unknown: when to look for it at the vendor
    looks = models.PositiveSmallIntegerField(default=0)
    missed_at = models.DateTimeField(null=True)  # unknown: the first complete listing of the vendor's that lacks it
    callback_digest = models.CharField(max_length=64, blank=True, default="")  # sha256 of the word in its address

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("task", "number"), name="one_attempt_per_number"),
            models.UniqueConstraint(
                fields=("provider", "key", "remote_id"),
                condition=~Q(remote_id=""),
                name="one_remote_id_per_provider_and_key",
            ),
        )
        indexes = (
            models.Index(fields=("state", "claimed_at"), name="attempt_stuck"),
            models.Index(fields=("callback_digest",), name="attempt_by_callback", condition=~Q(callback_digest="")),
        )

    def __str__(self) -> str:
        return f"{self.task_id}#{self.number} {self.state}"

    @staticmethod
    def make_token() -> str:
        """Ours to recognise: sortable like everything else, and nobody else's to guess."""
        return f"vf1.{uuid7().hex}.{uuid.uuid4().hex[:8]}"


class TaskEvent(models.Model):
    """One line of a task's timeline; written in the transaction of the change it tells of."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)  # a task state, or what happened without one
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.kind}"


class CreationState(models.TextChoices):
    PENDING = "pending", _("Being saved")
    STORED = "stored", _("Stored")
    LOST = "lost", _("Lost")


class Creation(models.Model):
    """One output of a task and our copy of it. ``source_url`` is where to copy from, never what a page shows."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.PROTECT, related_name="creations")
    position = models.PositiveSmallIntegerField()
    watermarked = models.BooleanField(default=False)  # the second version of a clip ordered with a watermark
    remote_id = models.CharField(max_length=120, blank=True, default="")
    source_url = models.TextField()
    cover_url = models.TextField(blank=True, default="")
    deadline = models.DateTimeField()  # when the vendor's link dies
    state = models.CharField(max_length=8, choices=CreationState.choices, default=CreationState.PENDING)

    file = models.FileField(max_length=200, blank=True)
    poster = models.FileField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, default="")
    size = models.PositiveBigIntegerField(null=True)  # bytes
    poster_sha256 = models.CharField(max_length=64, blank=True, default="")
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)
    fps = models.FloatField(null=True)
    has_audio = models.BooleanField(null=True)

    tries = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)  # one worker copies it at a time
    next_try_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    stored_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("creation")
        verbose_name_plural = _("creations")
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("task", "position"), name="one_creation_per_task_position"),
            models.CheckConstraint(
                condition=~Q(state="stored") | (~Q(file="") & ~Q(sha256="") & Q(size__gt=0)),
                name="stored_creation_has_its_file",
            ),
        )
        indexes = (models.Index(fields=("state", "deadline"), name="creation_by_deadline"),)

    def __str__(self) -> str:
        return f"{self.task_id}/{self.position} {self.state}"
