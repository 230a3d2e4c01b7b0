import pytest

from generations.models import ProviderKey, Task, User
from tests.factories import make_task
from tests.views.pages import htmx, signed_in


def test_the_owner_cancels_what_still_waits(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    response = signed_in(alice).post(f"/tasks/{task.pk}/cancel/", headers=htmx())
    html = response.content.decode()
    assert response.status_code == 200
    assert html.lstrip().startswith(f'<li class="card" id="task-{task.pk}" data-state="cancelled"')
    assert "Nothing is charged" in html
    task.refresh_from_db()
    assert task.state == "cancelled"


def test_without_scripts_it_leads_to_the_task(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    client = signed_in(alice)
    response = client.post(f"/tasks/{task.pk}/cancel/")
    assert (response.status_code, response["Location"]) == (302, f"/tasks/{task.pk}/")
    assert b"Cancelled before it was sent" in client.get(f"/tasks/{task.pk}/").content


@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_teammates_see_it_but_do_not_cancel_it(
    request: pytest.FixtureRequest, alice: User, key: ProviderKey, name: str
) -> None:
    task = make_task(alice)
    other = signed_in(request.getfixturevalue(name))
    assert f"cancel-{task.pk}" not in other.get("/?scope=team").content.decode()
    assert other.post(f"/tasks/{task.pk}/cancel/").status_code == 403
    assert Task.objects.get().state == "waiting"


def test_staff_may(alice: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice)
    assert signed_in(admin).post(f"/tasks/{task.pk}/cancel/", headers=htmx()).status_code == 200
    assert Task.objects.get().state == "cancelled"


def test_too_late_is_said(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing")
    html = signed_in(alice).post(f"/tasks/{task.pk}/cancel/", headers=htmx()).content.decode()
    assert "Too late to cancel" in html
    assert Task.objects.get().state == "processing"


def test_looking_is_not_cancelling(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    assert signed_in(alice).get(f"/tasks/{task.pk}/cancel/").status_code == 405
