"""The file of profiles: what it says, and all that is wrong in it at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.profiles import Profile, Profiles, ProfilesError, load_profiles
from ops.foundation.settings import Settings, SettingsError

CLINIC = 'addresses = ["whatsapp:+5511900000001"]\n'
HOURS = '[clinic.hours]\ntimezone = "America/Sao_Paulo"\n'

OPENAI = {
    "ai_provider": "openai",
    "ai_base_url": "https://models.example.com/v1",
    "ai_api_key": "sk-of-the-settings",
    "ai_model": "a-model",
}


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A directory of its own, whose modules are forgotten afterwards, and no settings but the test's."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("own_responder", None)


def load(text: str, **settings: object) -> Profiles:
    path = Path("profiles.toml")
    path.write_text(text)
    return load_profiles(Settings(_env_file=None, **settings), path)  # type: ignore[arg-type]


def only(text: str, **settings: object) -> Profile:
    """The one profile of a file, which is called clinic."""
    [profile] = load(f"[clinic]\n{text}", **settings)
    return profile


def problems(text: str, **settings: object) -> list[str]:
    with pytest.raises(ProfilesError) as raised:
        load(text, **settings)
    return [line[4:] for line in str(raised.value).splitlines() if line.startswith("  - ")]


def problem(text: str, **settings: object) -> str:
    [found] = problems(f"[clinic]\n{text}", **settings)
    return found


# -- what it says --------------------------------------------------------------------------------------


def test_without_a_file_there_is_no_profile() -> None:
    assert list(load_profiles(Settings(_env_file=None))) == []


def test_what_a_profile_does_not_say_is_as_in_the_settings() -> None:
    profile = only(CLINIC, **OPENAI, help_text="Ajuda")

    assert profile.settings.model_dump() == Settings(_env_file=None, **OPENAI, help_text="Ajuda").model_dump()  # type: ignore[arg-type]
    assert (profile.system_prompt, profile.language, profile.hours) == (None, None, None)


def test_what_a_profile_says_stands_in_the_place_of_the_settings(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_KEY", "sk-of-the-clinic")
    profile = only(
        CLINIC + 'model = "another"\nbase_url = "http://127.0.0.1:11434/v1"\napi_key_env = "CLINIC_KEY"\n'
        'max_tokens = 50\nextra = { temperature = 0.2 }\nlanguage = "pt-BR"\nfallback_text = "Desculpe."\n'
        'voice_text = "Alô"\nvoice_language = "pt-PT"\nsystem_prompt = "Be kind."\n',
        **OPENAI,
        ai_extra={"seed": 1},
    )

    settings = profile.settings
    assert (settings.ai_model, settings.ai_base_url) == ("another", "http://127.0.0.1:11434/v1")
    assert settings.required("ai_api_key") == "sk-of-the-clinic"
    assert (settings.ai_max_tokens, settings.ai_extra) == (50, {"temperature": 0.2})
    assert (settings.reply_fallback_text, settings.voice_text) == ("Desculpe.", "Alô")
    assert (profile.language, profile.system_prompt) == ("pt-BR", "Be kind.")


def test_a_file_is_not_read_together_with_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_EXTRA", '{"seed": 1}')

    assert only(CLINIC + "extra = { temperature = 0.2 }\n", **OPENAI).settings.ai_extra == {
        "temperature": 0.2
    }


def test_an_empty_text_says_nothing() -> None:
    settings = only(CLINIC + 'fallback_text = ""\nhelp_text = ""\n', reply_fallback_text="Desculpe.").settings

    assert (settings.reply_fallback_text, settings.help_text) == (None, None)


def test_a_prompt_in_a_file_is_beside_the_file_of_profiles(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "prompts").mkdir()
    (place / "prompts" / "clinic.txt").write_text("Você atende a clínica.\n")
    (place / "profiles.toml").write_text(f'[clinic]\n{CLINIC}system_prompt_path = "prompts/clinic.txt"\n')
    monkeypatch.chdir("/")

    [profile] = load_profiles(Settings(_env_file=None), place / "profiles.toml")

    assert profile.system_prompt == "Você atende a clínica."
    assert profile.settings.ai_system_prompt_path == place / "prompts" / "clinic.txt"


def test_a_key_may_stand_in_the_env_file(place: Path) -> None:
    (place / ".env").write_text("CLINIC_KEY=sk-of-the-clinic\n")

    assert only(CLINIC + 'api_key_env = "CLINIC_KEY"\n', **OPENAI).settings.required("ai_api_key") == (
        "sk-of-the-clinic"
    )


def test_the_key_of_the_settings_is_sent_elsewhere_only_when_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = CLINIC + 'base_url = "https://other.example.com/v1"\n'
    monkeypatch.setenv("AI_API_KEY", "sk-of-the-settings")

    assert problem(elsewhere, **OPENAI).startswith("[clinic] api_key_env is missing")
    said = only(elsewhere + 'api_key_env = "AI_API_KEY"\n', **OPENAI)
    assert said.settings.required("ai_api_key") == "sk-of-the-settings"
    same = only(CLINIC + 'base_url = "https://models.example.com/v1/"\n', **OPENAI)
    assert same.settings.required("ai_api_key") == "sk-of-the-settings"


def test_a_responder_of_ones_own_is_given_the_settings_of_the_profile(place: Path) -> None:
    (place / "own_responder.py").write_text("def factory(settings): ...\n")

    assert (
        only(CLINIC + 'ai_provider = "own_responder:factory"\n').settings.ai_provider
        == "own_responder:factory"
    )


def test_hours(place: Path) -> None:
    profile = only(
        CLINIC + HOURS + 'open = ["mon 09:00-10:00", "tue 09:00-10:00"]\nclosed_text = "Fechado"\n'
        'closed_dates = [2026-12-25, "2027-01-01"]\n'
    )

    assert profile.hours is not None
    assert [each.weekday for each in profile.hours.openings] == [0, 1]
    assert sorted(map(str, profile.hours.closed_dates)) == ["2026-12-25", "2027-01-01"]
    assert (profile.hours.closed_mode, profile.hours.closed_text) == ("text", "Fechado")


# -- which profile -------------------------------------------------------------------------------------


def test_the_profile_of_an_address() -> None:
    profiles = load(
        '[sms_and_whatsapp]\naddresses = ["+5511900000001"]\n'
        '[whatsapp]\naddresses = ["whatsapp:+5511900000001", "messenger:105000000000001"]\n'
        f'[service]\naddresses = ["MG{"a" * 32}"]\n'
    )

    def name(address: str, service: str | None = None) -> str | None:
        found = profiles.find(address, service)
        return None if found is None else found.name

    assert name("+5511900000001") == "sms_and_whatsapp"
    assert name("rcs:+5511900000001") == "sms_and_whatsapp"
    assert name("whatsapp:+5511900000001") == "whatsapp"
    assert name("messenger:105000000000001") == "whatsapp"
    assert name("+5511900000002") is None
    assert name("+5511900000002", "MG" + "a" * 32) == "service"
    assert name("+5511900000001", "MG" + "a" * 32) == "sms_and_whatsapp", "the nearer one"


# -- what is wrong -------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_listed_at_once() -> None:
    found = problems(
        'stray = 1\n[clinic]\naddresses = ["+5511900000001", "5511900000001"]\nmodle = "x"\n'
        'model = 5\nmax_tokens = 0\nbase_url = "localhost"\nsystem_prompt_path = "nowhere.txt"\n'
        'ai_provider = "no_such_module:factory"\nlanguage = "português"\napi_key_env = "NO_SUCH_KEY"\n'
        '[clinic.hours]\ntimezone = "America/Sao_Paolo"\nopen = ["mon-fri 9-18", "sat 09:00-13:00"]\n'
        'closed_dates = ["2026-13-01"]\nclosd_text = "x"\n'
        '[bakery]\naddresses = ["+5511900000001"]\nai_provider = "openai"\n'
    )

    beginnings = [
        "stray stands above the first profile",
        "[clinic] addresses, entry 2: 5511900000001 is no number",
        "[clinic] language: must be a BCP 47 tag",
        "[clinic] hours.timezone: 'America/Sao_Paolo' is no time zone; did you mean America/Sao_Paulo?",
        "[clinic] hours.open, entry 1: '9-18' is not opening hours",
        "[clinic] hours.closed_dates, entry 1: ",
        "[clinic] hours.closd_text: there is no such key; did you mean closed_text?",
        "[clinic] modle: there is no such key; did you mean model?",
        "[clinic] hours.closed_text is missing",
        "[clinic] api_key_env: NO_SUCH_KEY is set neither",
        "[clinic] system_prompt_path: nowhere.txt cannot be read: No such file",
        "[clinic] base_url: must be a URL",
        "[clinic] model: ",
        "[clinic] max_tokens: ",
        "[clinic] ai_provider: no_such_module:factory cannot be imported",
        "[bakery] base_url is missing, and so is AI_BASE_URL: AI_PROVIDER=openai needs it",
        "[bakery] api_key_env is missing, and so is AI_API_KEY",
        "[bakery] model is missing, and so is AI_MODEL",
        "[bakery] addresses: +5511900000001 is in [clinic] already",
    ]
    assert len(found) == len(beginnings)
    for beginning in beginnings:
        assert [line for line in found if line.startswith(beginning)], beginning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "addresses: Field required"),
        ("addresses = []\n", "addresses: List should have at least 1 item"),
        ("addresses = [5511900000001]\n", "addresses, entry 1: must be an address"),
        ('addresses = ["whatsapp:"]\n', "addresses, entry 1: must be an address"),
        ('addresses = ["+55 11 90000-0001"]\n', "addresses, entry 1: +55 11 90000-0001 is no number"),
        (
            'addresses = ["whatsapp:5511900000001"]\n',
            "addresses, entry 1: whatsapp:5511900000001 is no number",
        ),
        ('addresses = ["MG12"]\n', "addresses, entry 1: MG12 is no Messaging Service"),
        ('addresses = ["72975", "72975"]\n', "addresses: 72975 is there twice"),
        (CLINIC + 'system_prompt = ""\n', "system_prompt: String should have at least 1 character"),
        (CLINIC + 'ai_provider = "oracle"\n', "ai_provider: String should match pattern"),
        (CLINIC + "extra = 5\n", "extra: Input should be a valid dict"),
        (CLINIC + "voice_text = 5\n", "voice_text: Input should be a valid string"),
        (CLINIC + "hours = 5\n", "hours: Input should be a valid dict"),
        (CLINIC + HOURS + 'closed_text = "x"\n', "hours.open: Field required"),
        (CLINIC + HOURS + 'open = []\nclosed_text = "x"\n', "hours.open: List should have at least 1 item"),
        (CLINIC + HOURS + 'open = [5]\nclosed_text = "x"\n', "hours.open, entry 1: must be a text"),
        (CLINIC + HOURS + 'open = ["mon 09:00-10:00"]\nclosed_text = " "\n', "hours.closed_text is missing"),
        (
            CLINIC + HOURS + 'open = ["mon 09:00-10:00"]\nclosed_mode = "never"\n',
            "hours.closed_mode: Input should be 'text' or 'assistant'",
        ),
    ],
)
def test_one_thing_is_wrong(text: str, expected: str) -> None:
    assert problem(text).startswith(f"[clinic] {expected}")


@pytest.mark.parametrize("zone", ['"America"', '"../zoneinfo/UTC"', '"/etc/passwd"', '""', "5"])
def test_what_is_no_time_zone(zone: str) -> None:
    text = f'{CLINIC}[clinic.hours]\ntimezone = {zone}\nopen = ["mon 09:00-10:00"]\nclosed_text = "x"\n'
    assert "hours.timezone: " in problem(text)


def test_a_system_without_time_zones_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.profiles.table.available_timezones", set)

    text = f'{CLINIC}[clinic.hours]\ntimezone = "Nowhere"\nopen = ["mon 09:00-10:00"]\nclosed_text = "x"\n'
    assert "install the system's tzdata" in problem(text)


def test_two_prompts() -> None:
    Path("prompt.txt").write_text("Be kind.")

    found = problem(CLINIC + 'system_prompt = "Be brief."\nsystem_prompt_path = "prompt.txt"\n')
    assert found == "[clinic] system_prompt and system_prompt_path are both there: leave one of them out"


def test_a_prompt_that_would_reach_nothing(place: Path) -> None:
    (place / "own_responder.py").write_text("def factory(settings): ...\n")

    found = problem(CLINIC + 'ai_provider = "own_responder:factory"\nsystem_prompt = "Be kind."\n')
    assert "system_prompt is not handed to own_responder:factory" in found


def test_broken_toml_is_named_with_its_line() -> None:
    [found] = problems("[clinic]\nmodel = none\n")
    assert found.startswith("it is no TOML: ")
    assert "line 2" in found


def test_a_file_without_a_profile_is_a_mistake() -> None:
    [found] = problems("# all of it is gone\n")
    assert found.startswith("there is no profile in it")


def test_a_file_that_is_no_text_or_is_gone() -> None:
    settings = Settings(_env_file=None)
    Path("latin.toml").write_bytes(b'[clinic]\nname = "Cl\xednica"\n')
    for name, why in (("latin.toml", "it is no UTF-8 text"), ("gone.toml", "No such file")):
        with pytest.raises(ProfilesError, match=why):
            load_profiles(settings, Path(name))


def test_an_error_is_one_of_the_settings_and_names_the_file() -> None:
    with pytest.raises(SettingsError, match=r"cannot start with profiles\.toml"):
        load("[clinic]\n")


@pytest.mark.parametrize("line", ['api_key = "sk-very-secret"', 'api_key_env = "sk-very-secret"'])
def test_an_error_repeats_no_key(line: str) -> None:
    assert "very-secret" not in problem(CLINIC + line + "\n")
