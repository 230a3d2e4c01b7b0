"""Every address of the app. A name, its view and its template share one name."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from generations.views import (
    callbacks,
    cases,
    decisions,
    experiments,
    health,
    library,
    live,
    media,
    operations,
    people,
    pictures,
    tasks,
    usage,
)

urlpatterns = [
    path("", tasks.home, name="home"),
    path("composer/params/", tasks.composer_params, name="composer-params"),
    path("composer/pictures/", pictures.composer_pictures, name="composer-pictures"),
    path("composer/compare/", tasks.composer_compare, name="composer-compare"),
    path("live/", live.live, name="live"),
    path("tasks/", tasks.task_create, name="task-create"),
    path("tasks/<uuid:pk>/", tasks.task_detail, name="task-detail"),
    path("tasks/<uuid:pk>/live/", tasks.task_live, name="task-live"),
    path("tasks/<uuid:pk>/cancel/", tasks.task_cancel, name="task-cancel"),
    path("tasks/<uuid:pk>/ask/", tasks.task_ask, name="task-ask"),
    path("tasks/<uuid:pk>/decide/", decisions.task_decide, name="task-decide"),
    path("tasks/<uuid:pk>/give-up/", decisions.task_give_up, name="task-give-up"),
    path("tasks/<uuid:pk>/case/", cases.task_case, name="task-case"),
    path("tasks/<uuid:pk>/download/", media.task_download, name="task-download"),
    path("tasks/<uuid:pk>/follow-up/<str:mode>/", experiments.task_follow_up, name="task-follow-up"),
    path("templates/", experiments.template_create, name="template-create"),
    path("operations/", operations.operations, name="operations"),
    path("operations/<slug:name>/", operations.operations_list, name="operations-list"),
    path("library/", library.library, name="library"),
    path("usage/", usage.usage, name="usage"),
    path("usage/rows/", usage.usage_rows, name="usage-rows"),
    path("usage/export/", usage.usage_export, name="usage-export"),
    path("media/assets/<uuid:pk>/", media.asset_media, name="asset-media"),
    path("media/inputs/<str:token>/<str:name>", media.input_picture, name="input-picture"),
    path("media/creations/<uuid:pk>/video/", media.creation_video, name="creation-video"),
    path("media/creations/<uuid:pk>/poster/", media.creation_poster, name="creation-poster"),
    path("callbacks/<slug:provider>/<str:word>/", callbacks.callback, name="callback"),
    path("settings/look/", people.settings_look, name="settings-look"),
    path(
        "accounts/sign-in/",
        LoginView.as_view(template_name="sign_in.html", redirect_authenticated_user=True),
        name="sign-in",
    ),
    path("accounts/sign-out/", LogoutView.as_view(), name="sign-out"),
    path("healthz", health.healthz, name="healthz"),
]
