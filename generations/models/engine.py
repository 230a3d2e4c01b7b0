"""What the engine remembers of its talks with vendors."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from generations.models.keys import provider_choices
from generations.models.tasks import MODE_CHOICES, Attempt
from generations.providers.base import CallKind


class VendorRequest(models.Model):
    """Requests that were made for an attempt and had the same outcome: the first, the last, and how many.

    No secret is ever in ``said`` or ``excerpt``; ``evidence`` writes them through its redactor.
    """

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="requests")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in CallKind])
    said = models.CharField(max_length=80)  # what came of it in a word or two: "queueing", "read_timeout"
    status = models.PositiveSmallIntegerField(null=True)  # HTTP; None when no answer came
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    duration_ms = models.PositiveIntegerField(default=0)  # of the last one
    body_digest = models.CharField(max_length=64, blank=True, default="")  # sha256 of the JSON that was sent
    excerpt = models.TextField(blank=True, default="")  # of the answer, redacted

    class Meta:
        verbose_name = "vendor request"
        ordering = ("first_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("attempt", "kind", "said"), name="one_row_per_attempt_kind_and_outcome"),
        )
        indexes = (models.Index(fields=("last_at",), name="request_by_age"),)

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.kind} {self.said} ({self.times})"


class CallbackNotice(models.Model):
    """A genuine callback: a nudge to ask, never news by itself."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="callbacks")
    provider = models.SlugField(max_length=20, choices=provider_choices)
    nonce = models.CharField(max_length=120)
    state_word = models.CharField(max_length=40, blank=True, default="")  # as the vendor put it, unsigned
    final = models.BooleanField(default=False)  # whether that word means an end
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "callback"
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("provider", "nonce"), name="one_callback_per_nonce"),)
        indexes = (models.Index(fields=("received_at",), name="callback_by_age"),)

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.state_word}"


class Pace(models.Model):
    """How long a vendor takes for a kind of clip, learned from our own: seconds from sending to its success.

    An empty resolution with duration 0 stands for all of a model and mode.
    """

    provider = models.SlugField(max_length=20, choices=provider_choices)
    model = models.CharField(max_length=60)
    mode = models.CharField(max_length=20, choices=MODE_CHOICES)
    resolution = models.CharField(max_length=10, blank=True, default="")
    duration = models.PositiveSmallIntegerField(default=0)  # seconds of clip
    clips = models.PositiveIntegerField()  # how many it was learned from
    p10 = models.FloatField()
    p50 = models.FloatField()
    p90 = models.FloatField()
    learned_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "pace"
        constraints = (
            models.UniqueConstraint(
                fields=("provider", "model", "mode", "resolution", "duration"), name="one_pace_per_kind"
            ),
            models.CheckConstraint(
                condition=Q(p10__lte=models.F("p50")) & Q(p50__lte=models.F("p90")), name="pace_grows"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.mode} {self.resolution} {self.duration}: {self.p50:.0f} s"
