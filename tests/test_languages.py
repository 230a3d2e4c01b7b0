"""English and Chinese: nothing untranslated, nothing stale, and the pages really answer in the person's language."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from generations import words
from generations.models import ProviderKey, Task, TaskEvent, TaskState, User
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Mode
from generations.templatetags.generations import option_value, script_lang
from tests.factories import make_creation, make_task
from tests.views.pages import signed_in

ROOT = Path(settings.BASE_DIR)
FOLDER = ROOT / "generations" / "locale" / "zh_Hans" / "LC_MESSAGES"
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9"}
HAN = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    """A page leaves its language to the thread; the next test begins in English."""
    with translation.override("en"):
        yield


# --- The catalogue ------------------------------------------------------------------------------------------------


class Entry:
    """One entry of the .po file. ``key`` is what gettext looks up: the context and the singular."""

    def __init__(self, block: str) -> None:
        self.flags = re.findall(r"^#, (.*)$", block, re.MULTILINE)
        self.obsolete = "#~" in block
        self.singular, self.plural = self._text(block, "msgid"), self._text(block, "msgid_plural")
        context = self._text(block, "msgctxt")
        self.key = f"{context}\x04{self.singular}" if context else self.singular
        self.said = self._text(block, r"msgstr(?:\[0\])?")

    @staticmethod
    def _text(block: str, name: str) -> str:
        found = re.search(rf'^{name} ((?:"(?:[^"\\]|\\.)*"\n?)+)', block, re.MULTILINE)
        return "".join(ast.literal_eval(line) for line in found[1].splitlines()) if found else ""


ENTRIES = [Entry(block) for block in (FOLDER / "django.po").read_text(encoding="utf-8").strip().split("\n\n")][1:]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[a-z]|%[sd]", text))


def test_every_entry_is_translated_and_sure() -> None:
    assert len(ENTRIES) > 400
    for entry in ENTRIES:
        assert entry.said, entry.key
        assert not entry.obsolete, entry.key
        assert not any("fuzzy" in flag for flag in entry.flags), entry.key


def test_placeholders_survive_translation() -> None:
    for entry in ENTRIES:
        # Of a counted sentence the plural counts: English may say "a picture", Chinese always has the number.
        assert placeholders(entry.plural or entry.singular) == placeholders(entry.said), entry.key


def test_the_compiled_file_is_current() -> None:
    """It ships with the app, because where that runs there may be no gettext. After a change: make messages."""
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    table: dict[str | tuple[str, int], str] = dict(compiled._catalog)  # type: ignore[attr-defined]
    plain = {(key[0] if isinstance(key, tuple) else key): said for key, said in table.items()}
    del plain[""]
    assert plain == {entry.key: entry.said for entry in ENTRIES}


# --- What the catalogue must hold ---------------------------------------------------------------------------------

FUNCTIONS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"), 0),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), 1),
}


def in_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            continue
        place = FUNCTIONS[node.func.id]
        constants = [each.value if isinstance(each, ast.Constant) else None for each in node.args[: place + 1]]
        if len(constants) == place + 1 and all(isinstance(each, str) for each in constants):
            yield "\x04".join(str(each) for each in constants)


def in_template(text: str) -> Iterator[str]:
    text = re.sub(r"\{% comment %\}.*?\{% endcomment %\}", "", text, flags=re.DOTALL)
    for quote, said in re.findall(r"""(?:\{%\s*translate\s+|_\()(["'])(.*?)\1""", text):
        yield said.replace("\\" + quote, quote)
    for block in re.findall(r"\{%\s*blocktranslate\b.*?%\}(.*?)\{%\s*endblocktranslate", text, re.DOTALL):
        singular = re.split(r"\{%\s*plural\s*%\}", block)[0]
        yield re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", singular)


SOURCES = [
    *[path for folder in ("generations", "videoforge") for path in (ROOT / folder).rglob("*.py")],
    *(ROOT / "templates").rglob("*.html"),
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_marked_for_translation_is_in_the_catalogue(path: Path) -> None:
    if "migrations" in path.parts:
        return  # frozen copies of what the models say
    text = path.read_text(encoding="utf-8")
    marked = set(in_python(text) if path.suffix == ".py" else in_template(text))
    missing = marked - {entry.key for entry in ENTRIES}
    assert not missing, f"run make messages and translate {sorted(missing)}"


def test_templates_hold_no_bare_english() -> None:
    """What is left when tags, markup and everything marked are taken away has no words but our name."""
    allowed = {"VideoForge", "UTC"}
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for pattern in (
            r"\{% comment %\}.*?\{% endcomment %\}",
            r"\{%\s*blocktranslate.*?endblocktranslate\s*%\}",
            r"\{% block (bodyclass|coltype) %\}.*?\{% endblock %\}",  # classes
            r"\{%.*?%\}|\{\{.*?\}\}",
            r"<!doctype[^>]*>",
            r"<[^<>]*>",
        ):
            text = re.sub(pattern, " ", text, flags=re.DOTALL)
        left = set(re.findall(r"[A-Za-z]{3,}", re.sub(r"&\w+;", " ", text))) - allowed
        assert not left, f"{path.name}: {left}"


def test_what_the_vendors_modules_say_is_marked() -> None:
    """They know nothing of Django: what a page takes from them has to be in the catalogue by its own words."""
    known = {entry.key for entry in ENTRIES}
    offers = [offer for slug in PROVIDERS for offer in catalog.offers(slug)]
    assert {text for offer in offers for text in (offer.hint, offer.note) if text} <= known


def test_every_kind_of_event_has_words() -> None:
    kinds = set()
    for path in (ROOT / "generations" / "lifecycle").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "note":
                kinds |= {each.value for each in node.args[1:2] if isinstance(each, ast.Constant)}
    assert kinds == set(words.EVENTS)
    with translation.override("zh-hans"):
        for kind in (*kinds, *TaskState):
            assert HAN.search(str(words.event_words(kind).word)), kind


# --- The pages ----------------------------------------------------------------------------------------------------

STATES = {
    "waiting": "等待中",
    "submitting": "提交中",
    "uncertain": "正在与服务商确认",
    "queued": "排队中",
    "processing": "生成中",
    "archiving": "已完成 · 正在存档",
    "succeeded": "已完成",
    "failed": "失败",
    "cancelled": "已取消",
    "lost": "结果已失效",
}


@pytest.fixture
def mei(db: None) -> User:
    return User.objects.create_user("mei", password="pass", first_name="Mei", language="zh-hans")


def read(client: Client, address: str, status: int = 200, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == status
    return response.content.decode()


def test_every_state_has_its_agreed_word() -> None:
    assert set(STATES) == set(TaskState)
    with translation.override("zh-hans"):
        assert {state: str(said.word) for state, said in words.STATES.items()} == STATES


@pytest.mark.parametrize("state", TaskState)
def test_a_task_in_chinese(mei: User, key: ProviderKey, state: str) -> None:
    task = make_task(mei, state=state, prompt_text="纸船漂过雨后的水洼", failure_class="throttled")
    if state == "succeeded":
        make_creation(task)
    TaskEvent.objects.create(task=task, kind="cancel-asked")
    client = signed_in(mei)
    html = read(client, f"/tasks/{task.pk}/")
    assert '<html lang="zh-hans"' in html
    for said in (STATES[state], "已请求取消", "时间线", "Vidu Q3 Turbo", "文生视频", '<h1 class="prompt-text"'):
        assert said in html
    assert 'lang="zh">纸船' in html
    card = read(client, "/")
    assert STATES[state] in card
    assert 'lang="zh">纸船' in card
    for raw in ("cancel-asked", "throttled", ">viduq3-turbo<"):
        assert raw not in html + card


@pytest.mark.parametrize("cls", words.FAILURES)
def test_failures_in_chinese(mei: User, key: ProviderKey, cls: str) -> None:
    html = read(signed_in(mei), f"/tasks/{make_task(mei, state='failed', failure_class=cls).pk}/")
    trouble = html[html.index('id="trouble"') :]
    said = re.sub(r"<[^>]*>", "", trouble[: trouble.index("</div></div>")].partition("<strong>")[2])
    assert HAN.search(said)
    assert not re.search(r"[A-Za-z]{3,}", said), said


def test_home_library_and_composer_in_chinese(mei: User, key: ProviderKey) -> None:
    client = signed_in(mei)
    home = read(client, "/")
    for said in ("创作", "作品库", "提示词", "新建视频", "首尾帧", "参考图", "快速出样", "11 × 5 s = 55 积分"):
        assert said in home
    library = read(client, "/library/")
    assert "还没有作品" in library
    assert '<html lang="zh-hans"' in library
    form = client.post("/tasks/", {"mode": "text2video", "model": "viduq3-turbo", "prompt": ""})
    assert "请填写提示词：Vidu Q3 Turbo 必须有提示词。" in form.content.decode()
    one_picture = client.post("/tasks/", {"mode": "img2video", "model": "viduq3-turbo", "prompt": "a"})
    assert "请至少选择 1 张图片。" in one_picture.content.decode()


def test_a_live_answer_is_in_chinese(mei: User, key: ProviderKey) -> None:
    before = timezone.now()
    make_task(mei, state="succeeded")
    Task.objects.update(changed_at=timezone.now(), finished_at=timezone.now())
    address = f"/live/?v={before.isoformat().replace('+', '%2B')}"
    assert "1 个视频已完成" in read(signed_in(mei), address, **{"HX-Request": "true"})


def test_strangers_are_answered_as_their_browser_asks(db: None) -> None:
    sign_in = read(Client(), "/accounts/sign-in/", **CHINESE)
    missing = read(Client(), "/nowhere/", 404, **CHINESE)
    for html, said in ((sign_in, "用户名"), (missing, "页面不存在，或未与你分享。")):
        assert said in html
        assert '<html lang="zh-hans"' in html
    assert '<html lang="en"' in read(Client(), "/accounts/sign-in/", **{"Accept-Language": "fr"})


def test_a_setting_beats_the_browser(mei: User, alice: User) -> None:
    assert '<html lang="zh-hans"' in read(signed_in(mei), "/", **{"Accept-Language": "en"})
    alice.language = "en"
    alice.save()
    assert '<html lang="en"' in read(signed_in(alice), "/", **CHINESE)


def test_a_page_offers_both_languages_by_their_own_names(alice: User) -> None:
    html = read(signed_in(alice), "/")
    assert 'lang="zh-hans">简体中文' in html
    assert 'lang="en" selected>English' in html


def test_staff_see_raw_names_and_the_vendors_own_text(admin: User, key: ProviderKey) -> None:
    User.objects.update(language="zh-hans")
    task = make_task(admin, state="failed", failure_code="Odd", failure_text="Vendor words", wire_model="viduq3-raw")
    html = read(signed_in(User.objects.get()), f"/tasks/{task.pk}/")
    assert "<code>viduq3-raw</code>" in html
    assert "<code>Odd</code> Vendor words" in html
    ours = make_task(admin, state="failed", failure_code="input_missing", failure_text="An input image is missing.")
    assert "缺少一张输入图片。" in read(signed_in(User.objects.get()), f"/tasks/{ours.pk}/")


def test_the_admin_speaks_chinese(admin: User, key: ProviderKey) -> None:
    html = read(signed_in(admin), "/admin/generations/providerkey/", **CHINESE)
    assert "排空：不再提交新任务" in html


def test_a_model_that_left_the_catalogue_keeps_its_name(alice: User, key: ProviderKey) -> None:
    assert words.model_label(make_task(alice, model="viduq2-pro-fast")) == "Vidu Q2 Pro Fast"
    assert words.model_label(make_task(alice, model="viduq9")) == "viduq9"


def test_a_formula_names_its_unit_and_its_extras() -> None:
    cheap, good = (catalog.get_offer("vidu", model, Mode.IMAGE) for model in ("viduq2-turbo", "viduq3-pro"))
    assert cheap
    assert good
    with_sound = catalog.estimate(cheap, resolution="720p", duration=5, audio=True)
    by_vendor = catalog.estimate(good, resolution="720p", duration=5, is_rec=True)
    assert with_sound
    assert by_vendor
    assert words.formula(with_sound) == "10 (2 s) + 10 × 3 s + 15 = 55 credits, with 15 for sound"
    with translation.override("zh-hans"):
        assert words.formula(with_sound) == "10 (2 s) + 10 × 3 s + 15 = 55 积分，其中声音 15"
        assert words.formula(by_vendor) == "20 × 5 s + 10 = 110 积分，其中提示词 10"


def test_chinese_has_room_and_is_read_as_chinese() -> None:
    css = (ROOT / "static" / "css" / "app.css").read_text()
    assert re.search(r":lang\(zh\) \{\s*line-height: 1\.7;", css)
    assert script_lang("纸船漂过雨后的水洼，4K") == "zh"
    assert script_lang("A boat 船") == ""
    assert script_lang("") == ""


def test_values_of_settings_are_words() -> None:
    with translation.override("zh-hans"):
        assert [option_value(value, "style") for value in (True, False, "anime", "auto", 7)] == [
            "开",
            "关",
            "动漫",
            "自动",
            "7",
        ]
