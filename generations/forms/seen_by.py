"""Who may see a clip: a team of the person who makes it, everybody who signs in, or nobody else."""

from typing import Any

from django import forms

from generations.models import Task, User, Visibility


def seen_by_choices(user: User) -> list[tuple[str, Any]]:
    """What this person can choose; the first is what happens when nothing is chosen."""
    teams = [(f"{Visibility.TEAM}:{team.pk}", team.name) for team in user.groups.order_by("name")]
    words = dict(Visibility.choices)
    return [*teams, *((each.value, words[each]) for each in (Visibility.TEAM, Visibility.PRIVATE))]


def seen_by(task: Task) -> str:
    """The choice that this task was made with."""
    return f"{task.visibility}:{task.team_id}" if task.team_id else str(task.visibility)


class SeenByField(forms.ChoiceField):
    """Becomes ``visibility`` and ``team`` of an order. The form sets the person's own choices."""

    usual = str(Visibility.TEAM)

    def __init__(self, **how: Any) -> None:
        super().__init__(required=False, **how)

    def offer(self, user: User) -> None:
        choices = seen_by_choices(user)
        self.choices, self.usual = choices, choices[0][0]

    def clean(self, value: Any) -> dict[str, Any]:
        chosen = super().clean(value) or self.usual
        visibility, _, team = chosen.partition(":")
        return {"visibility": visibility, "team_id": int(team) if team else None}
