from django.db import models
from django.utils import timezone


class Lease(models.Model):
    """Who does a thing that only one may do at a time, until when. Seized and kept by conditional updates."""

    key = models.CharField(primary_key=True, max_length=60)
    owner = models.CharField(max_length=80, blank=True, default="")
    until = models.DateTimeField(default=timezone.now)
    fence = models.PositiveBigIntegerField(default=0)  # grows with each new holder
    beat_at = models.DateTimeField(null=True)  # last sign of life of any holder

    def __str__(self) -> str:
        return f"{self.key} until {self.until:%H:%M:%S}"
