"""What a role may do in the admin. Members have no door there."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from generations.models import Role, User

AUDITED = frozenset({"generations", "auth", "auditlog", "django_q"})  # apps whose tables an auditor may look at


class RolesBackend(AuthenticationBackend):  # type: ignore[misc]
    """Signs in as django-allauth does, as the only backend. Administrators may do all in this app, auditors may look
    at all."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return False
        app, _, codename = perm.partition(".")
        if user_obj.role == Role.ADMIN and app in AUDITED:
            return True
        if user_obj.role == Role.AUDITOR and app in AUDITED:
            return codename.startswith("view_")
        return bool(super().has_perm(user_obj, perm, obj))

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        looks = isinstance(user_obj, User) and user_obj.is_active and user_obj.is_staff and app_label in AUDITED
        return bool(looks or super().has_module_perms(user_obj, app_label))
