"""Settings: read from what is given and nothing else, with every fault named at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams import config
from streams.config import LOOPBACK, PREFIX, Settings
from streams.errors import ConfigError


def faults(environ: dict[str, str]) -> list[str]:
    """The lines of the refusal."""
    with pytest.raises(ConfigError) as caught:
        config.load(environ)
    return str(caught.value).splitlines()


def test_without_any_variable_every_setting_has_its_default() -> None:
    settings = config.load({})

    assert settings.home == Path(".musee")
    assert settings.console_url == f"http://{LOOPBACK}:8080"
    assert settings.kafka_servers == f"{LOOPBACK}:9092"


def test_a_variable_sets_its_setting() -> None:
    settings = config.load({"MUSEE_HOME": "elsewhere", "MUSEE_CONSOLE_PORT": "18080", "MUSEE_DEMO": "false"})

    assert (settings.home, settings.console_port, settings.demo) == (Path("elsewhere"), 18080, False)


def test_an_unknown_variable_is_refused_by_name() -> None:
    (fault,) = faults({"MUSEE_CONSOLEPORT": "8080"})

    assert fault.startswith("MUSEE_CONSOLEPORT: no such setting")


def test_variables_of_others_are_left_alone() -> None:
    assert config.load({"PATH": "/bin", "XMUSEE_SLOT": "1", "MUSEEUM": "1"}) == config.load({})


def test_all_faults_are_named_at_once_each_with_variable_and_value() -> None:
    found = faults(
        {
            "MUSEE_NOPE": "1",
            "MUSEE_SLOT": "-1",
            "MUSEE_SINK_AGE_S": "0",
            "MUSEE_KAFKA_PORT": "70000",
            "MUSEE_DEMO": "so",
        }
    )

    assert {line.partition(":")[0] for line in found} == {
        "MUSEE_NOPE",
        "MUSEE_SLOT='-1'",
        "MUSEE_SINK_AGE_S='0'",
        "MUSEE_KAFKA_PORT='70000'",
        "MUSEE_DEMO='so'",
    }


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_variable_is_one_that_is_not_set(name: str) -> None:
    assert config.load({PREFIX + name.upper(): ""}) == config.load({})


def test_what_was_given_is_all_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSEE_SLOT", "7")

    assert config.load({}).slot == 0


def test_an_empty_variable_of_the_process_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSEE_KAFKA_PORT", "")

    assert config.load().kafka_port == 9092


def test_without_an_argument_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSEE_SLOT", "7")

    assert config.load().slot == 7


def test_an_unknown_variable_of_the_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSEE_SLOTS", "7")

    with pytest.raises(ConfigError, match="MUSEE_SLOTS"):
        config.load()


@pytest.mark.parametrize(
    ("variable", "setting", "address"),
    [
        ("MUSEE_KAFKA", "kafka_servers", "one:9092,[::1]:9093"),
        ("MUSEE_REDIS", "redis_url", "redis://elsewhere:1/0"),
        ("MUSEE_CLICKHOUSE", "clickhouse_url", "https://elsewhere:1"),
    ],
)
def test_a_part_of_your_own_is_used_instead_of_the_embedded_one(variable: str, setting: str, address: str) -> None:
    settings = config.load({variable: address, f"{variable}_PORT": "2"})

    assert getattr(settings, setting) == address


@pytest.mark.parametrize(
    ("variable", "address"),
    [("MUSEE_KAFKA", "elsewhere"), ("MUSEE_REDIS", "elsewhere:6379"), ("MUSEE_CLICKHOUSE", "elsewhere:8123")],
)
def test_an_address_of_another_form_is_refused(variable: str, address: str) -> None:
    (fault,) = faults({variable: address})

    assert fault.startswith(f"{variable}='{address}'")


def test_every_listener_of_the_embedded_stack_has_a_port_of_its_own() -> None:
    settings = config.load({})

    ports = [getattr(settings, name) for name in Settings.model_fields if name.endswith("_port")]
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description


def test_settings_do_not_change_after_they_were_read() -> None:
    settings = config.load({})

    with pytest.raises(ValidationError, match="frozen"):
        settings.slot = 3
