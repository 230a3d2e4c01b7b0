"""The pages of django-allauth that this house has, under its own addresses. What is not named here does not exist.

Our own names, ``sign-in`` and ``sign-out``, stand before those that allauth looks its pages up by.
"""

from allauth.account import views as account
from allauth.mfa.base import views as second_step
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as sso
from allauth.usersessions import views as devices
from django.contrib.auth.views import LogoutView
from django.urls import path, re_path

from generations.views import sign_in
from generations.views.sign_in import seldom, with_mail, with_own_secrets

SSO = {"provider_id": "sso"}
RESET = "accounts/password/reset/"
OWN = "settings/sign-in/"

urlpatterns = [
    path("accounts/sign-in/", sign_in.SignInView.as_view(), name="sign-in"),
    path("accounts/sign-in/", sign_in.SignInView.as_view(), name="account_login"),
    path("accounts/sign-out/", LogoutView.as_view(), name="sign-out"),
    path("accounts/sign-out/", LogoutView.as_view(), name="account_logout"),
    path("accounts/closed/", account.account_inactive, name="account_inactive"),
    path("accounts/second-step/", second_step.authenticate, name="mfa_authenticate"),
    path("accounts/passkey/", seldom(with_own_secrets(passkeys.login_webauthn)), name="mfa_login_webauthn"),
    path("accounts/sso/", sign_in.sso, SSO, name="openid_connect_login"),
    path("accounts/sso/callback/", sign_in.sso_callback, SSO, name="openid_connect_callback"),
    path("accounts/sso/cancelled/", sso.login_cancelled, name="socialaccount_login_cancelled"),
    path("accounts/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/confirm/code/", second_step.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/confirm/passkey/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path(RESET, with_mail(account.password_reset), name="account_reset_password"),
    path(f"{RESET}sent/", with_mail(account.password_reset_done), name="account_reset_password_done"),
    path(f"{RESET}done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    # allauth fills the address of its mail in by this very form, with the hyphen.
    re_path(
        rf"^{RESET}(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        with_mail(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path(OWN, sign_in.settings_sign_in, name="settings-sign-in"),
    path(OWN, sign_in.settings_sign_in, name="mfa_index"),
    path(f"{OWN}password/", with_own_secrets(account.password_change), name="account_change_password"),
    path(f"{OWN}password/first/", with_own_secrets(account.password_set), name="account_set_password"),
    path(f"{OWN}app/", app.activate_totp, name="mfa_activate_totp"),
    path(f"{OWN}app/remove/", app.deactivate_totp, name="mfa_deactivate_totp"),
    path(f"{OWN}recovery-codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(f"{OWN}recovery-codes/new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path(f"{OWN}passkeys/", with_own_secrets(passkeys.list_webauthn), name="mfa_list_webauthn"),
    path(f"{OWN}passkeys/add/", with_own_secrets(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path(f"{OWN}passkeys/<int:pk>/", with_own_secrets(passkeys.edit_webauthn), name="mfa_edit_webauthn"),
    path(f"{OWN}passkeys/<int:pk>/remove/", with_own_secrets(passkeys.remove_webauthn), name="mfa_remove_webauthn"),
    path(f"{OWN}devices/", devices.list_usersessions, name="usersessions_list"),
]
