"""Settings are refused at start when they would be unsafe or make no sense."""

import stat
from pathlib import Path

import pytest

from data.errors import InvalidParameter, UnknownName
from serve_app.settings import NO_QUOTAS, Quotas, settings_from_env


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    return tmp_path


def test_a_fresh_start_makes_an_admin_key_and_keeps_it(home: Path) -> None:
    first, second = settings_from_env({}), settings_from_env({})
    assert first.admin_key == second.admin_key
    assert len(first.admin_key) >= 24
    assert stat.S_IMODE((home / "admin-key").stat().st_mode) == 0o600


def test_the_admin_key_is_not_shown_with_the_settings() -> None:
    settings = settings_from_env({"TELLTALE_ADMIN_KEY": "my secret admin key"})
    assert "my secret" not in repr(settings)


@pytest.mark.parametrize("key", ["", "short"])
def test_a_wide_bind_without_a_good_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidParameter, match="TELLTALE_ADMIN_KEY"):
        settings_from_env({"TELLTALE_HOST": "0.0.0.0", "TELLTALE_ADMIN_KEY": key})


def test_a_wide_bind_with_a_key_is_allowed() -> None:
    settings = settings_from_env(
        {"TELLTALE_HOST": "0.0.0.0", "TELLTALE_ADMIN_KEY": "sixteen letters!"}
    )
    assert settings.url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("host", ["10.0.0.5", "127.0.0.2", "everywhere", ""])
def test_a_host_that_the_proxy_could_not_serve_is_refused(host: str) -> None:
    with pytest.raises(InvalidParameter, match=r"0\.0\.0\.0"):
        settings_from_env({"TELLTALE_HOST": host, "TELLTALE_ADMIN_KEY": "k" * 16})


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", ""])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(InvalidParameter, match="TELLTALE_PORT"):
        settings_from_env({"TELLTALE_PORT": port})


def test_domains_are_served_in_the_order_asked_for() -> None:
    settings = settings_from_env({"TELLTALE_DOMAINS": "keywords, faults"})
    assert settings.domains == ("keywords", "faults")


def test_an_unknown_domain_is_refused() -> None:
    with pytest.raises(UnknownName, match="elephants"):
        settings_from_env({"TELLTALE_DOMAINS": "elephants"})


def test_versions_are_pinned_by_domain() -> None:
    asked = {
        "TELLTALE_DOMAINS": "keywords,faults",
        "TELLTALE_MODEL_VERSION": "faults=3, keywords=1",
    }
    assert settings_from_env(asked).pinned == {"faults": "3", "keywords": "1"}
    assert settings_from_env({}).pinned == {}


@pytest.mark.parametrize("pins", ["3", "faults=", "faults=0", "cracks=1", "faults=1,faults=2"])
def test_a_pin_that_is_none_is_refused(pins: str) -> None:
    with pytest.raises(InvalidParameter, match=r"TELLTALE_MODEL_VERSION .* faults=3,keywords=1"):
        settings_from_env({"TELLTALE_DOMAINS": "faults", "TELLTALE_MODEL_VERSION": pins})


def test_on_loopback_it_is_called_by_loopbacks_names_and_those_that_are_added() -> None:
    assert settings_from_env({}).names == ("127.0.0.1", "localhost", "[::1]")
    added = settings_from_env({"TELLTALE_ALLOWED_HOSTS": "Telltale.example.org, [fd00::1]"})
    assert added.names[3:] == ("telltale.example.org", "[fd00::1]")


def test_a_wide_bind_is_called_by_any_name_unless_some_are_given() -> None:
    wide = {"TELLTALE_HOST": "0.0.0.0", "TELLTALE_ADMIN_KEY": "sixteen letters!"}
    assert settings_from_env(wide).names == ()
    given = settings_from_env({**wide, "TELLTALE_ALLOWED_HOSTS": "a.example"})
    assert given.names == ("127.0.0.1", "localhost", "[::1]", "a.example")


@pytest.mark.parametrize("name", ["https://a.example", "a.example:443", "*", "a}", "a..b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameter, match="TELLTALE_ALLOWED_HOSTS"):
        settings_from_env({"TELLTALE_ALLOWED_HOSTS": name})


def test_no_page_may_ask_unless_its_origin_is_named() -> None:
    assert settings_from_env({}).cors_origins == ()
    named = {"TELLTALE_CORS_ORIGINS": "https://App.example.org, http://localhost:3000"}
    origins = ("https://app.example.org", "http://localhost:3000")
    assert settings_from_env(named).cors_origins == origins
    assert settings_from_env({"TELLTALE_CORS_ORIGINS": "*"}).cors_origins == ("*",)


@pytest.mark.parametrize("origin", ["app.example.org", "https://a.org/", "https://*.a.org", "null"])
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(InvalidParameter, match="TELLTALE_CORS_ORIGINS"):
        settings_from_env({"TELLTALE_CORS_ORIGINS": origin})


def test_quotas_are_off_unless_they_are_set() -> None:
    assert settings_from_env({}).quotas == NO_QUOTAS
    given = {"TELLTALE_QUOTA_KEY": "600", "TELLTALE_QUOTA_ADDRESS": "60"}
    assert settings_from_env(given).quotas == Quotas(key=600, address=60)
    for wrong in ("many", "-1", "60001", "1.5"):
        with pytest.raises(InvalidParameter, match=r"TELLTALE_QUOTA_KEY .*from 1 to 60000"):
            settings_from_env({"TELLTALE_QUOTA_KEY": wrong})


def test_proxies_in_front_are_addresses_or_networks() -> None:
    assert settings_from_env({}).proxies == ()
    given = {"TELLTALE_PROXIES": "10.0.0.5, 10.1.2.3/16 fd00::/8"}
    assert settings_from_env(given).proxies == ("10.0.0.5/32", "10.1.0.0/16", "fd00::/8")
    for wrong in ("proxy.example.org", "10.0.0.0/33", "*"):
        with pytest.raises(InvalidParameter, match=r"TELLTALE_PROXIES .*10\.0\.0\.5"):
            settings_from_env({"TELLTALE_PROXIES": wrong})


def test_a_webhook_has_an_address_and_a_secret_that_are_not_shown() -> None:
    hook = {"TELLTALE_WEBHOOK_URL": "https://example.org/hook?key=mine"}
    secret = {"TELLTALE_WEBHOOK_SECRET": "sixteen letters!"}
    with pytest.raises(InvalidParameter, match="needs TELLTALE_WEBHOOK_SECRET"):
        settings_from_env(hook)
    for url in ("example.org", "https://host:abc/mine", "https:///mine", "https://a.org/my mine"):
        with pytest.raises(InvalidParameter, match="TELLTALE_WEBHOOK_URL") as refused:
            settings_from_env({"TELLTALE_WEBHOOK_URL": url, **secret})
        assert "mine" not in str(refused.value)
    settings = settings_from_env({**hook, **secret})
    assert settings.webhook_url == "https://example.org/hook?key=mine"
    assert "mine" not in repr(settings)
    assert "sixteen" not in repr(settings)


def test_a_log_level_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(InvalidParameter, match="debug, info, warning, error"):
        settings_from_env({"TELLTALE_LOG_LEVEL": "loud"})
