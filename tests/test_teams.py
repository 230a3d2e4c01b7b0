"""Work for one team is seen by its people, by administrators and auditors, and by nobody else."""

import uuid

import pytest
from django.contrib.auth.models import Group
from django.http import Http404
from django.urls import reverse

from generations import queries
from generations.forms import GenerateForm, remix_of
from generations.models import ProviderKey, Task, TaskState, User, Visibility
from tests.factories import make_creation, make_task, make_user
from tests.test_forms import TEXT, accepted, order
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def trailer(alice: User, bob: User) -> Group:
    """A team of Alice and Bob."""
    team = Group.objects.create(name="Trailer")
    team.user_set.set([alice, bob])
    return team


@pytest.mark.parametrize("state", ["", "ready"])
def test_only_its_people_see_it(
    alice: User, bob: User, charlie: User, admin: User, trailer: Group, key: ProviderKey, state: str
) -> None:
    task = make_task(alice, team=trailer, state=TaskState.SUCCEEDED)
    clip = make_creation(task)
    for person in (alice, bob, admin, make_user("looks", role="auditor")):
        assert task in queries.feed(person, scope="team", state=state).tasks
        assert queries.get_creation(person, clip.pk) == clip
        assert queries.opens_for(person, task)
    assert queries.feed(charlie, scope="team", state=state).tasks == []
    assert not queries.opens_for(charlie, task)
    assert queries.newest_change(charlie, "team") is None
    with pytest.raises(Http404):
        queries.get_creation(charlie, clip.pk)
    client = signed_in(charlie)
    assert client.get(reverse("task-detail", args=[task.pk])).status_code == 404
    assert client.get(reverse("creation-video", args=[clip.pk])).status_code == 404


def test_who_leaves_a_team_sees_no_more_of_it(alice: User, bob: User, trailer: Group, key: ProviderKey) -> None:
    theirs, own = make_task(alice, team=trailer), make_task(bob, team=trailer)
    trailer.user_set.remove(bob)
    bob = User.objects.get(pk=bob.pk)
    assert set(queries.feed(bob, scope="team").tasks) == {own}
    assert not queries.opens_for(bob, theirs)


def test_private_is_private_in_a_team_too(alice: User, bob: User, trailer: Group, key: ProviderKey) -> None:
    task = make_task(alice, team=trailer, visibility=Visibility.PRIVATE)
    assert not queries.opens_for(bob, task)
    assert queries.feed(bob, scope="team").tasks == []


def test_the_form_offers_their_teams_and_takes_the_first(
    alice: User, charlie: User, trailer: Group, key: ProviderKey
) -> None:
    other = Group.objects.create(name="Spots")
    alice.groups.add(other)
    offered = [value for value, _word in GenerateForm(user=alice).fields["visibility"].choices]  # type: ignore[attr-defined]
    assert offered == [f"team:{other.pk}", f"team:{trailer.pk}", "team", "private"]
    (task,) = accepted(alice, order(TEXT)).save()
    assert (task.visibility, task.team) == ("team", other)
    (task,) = accepted(alice, order(TEXT, visibility=f"team:{trailer.pk}")).save()
    assert task.team == trailer
    assert remix_of(task)["visibility"] == f"team:{trailer.pk}"
    (task,) = accepted(alice, order(TEXT, visibility="team")).save()
    assert (task.visibility, task.team) == ("team", None)
    (task,) = accepted(alice, order(TEXT, visibility="private")).save()
    assert (task.visibility, task.team) == ("private", None)
    (task,) = accepted(charlie, order(TEXT)).save()
    assert (task.visibility, task.team) == ("team", None)


@pytest.mark.parametrize("visibility", ["team:{}", "team:0", "team:x", "team:", "private:{}"])
def test_nobody_orders_for_a_team_of_others(charlie: User, trailer: Group, key: ProviderKey, visibility: str) -> None:
    data = order(TEXT, visibility=visibility.format(trailer.pk)) | {"request_id": str(uuid.uuid4())}
    form = GenerateForm(data, user=charlie)
    assert not form.is_valid()
    assert "visibility" in form.errors
    assert not Task.objects.exists()


def test_its_name_stands_on_the_card_and_the_page(bob: User, alice: User, trailer: Group, key: ProviderKey) -> None:
    task = make_task(alice, team=trailer)
    client = signed_in(bob)
    assert "<span>Trailer</span>" in client.get("/?scope=team").content.decode()
    assert "<dd>Trailer</dd>" in client.get(reverse("task-detail", args=[task.pk])).content.decode()


def test_a_team_with_clips_stays(admin: User, alice: User, trailer: Group, key: ProviderKey) -> None:
    make_task(alice, team=trailer)
    answer = signed_in(admin).post(reverse("admin:auth_group_delete", args=[trailer.pk]), {"post": "yes"}, follow=True)
    assert "stays for their sake" in answer.content.decode()
    assert Group.objects.filter(pk=trailer.pk).exists()
