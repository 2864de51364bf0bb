"""Settings: every ``MUSEE_*`` variable, read once at start into one frozen model.

Each has a default that works with ``make up``. ``load()`` names all faults at once, and refuses a ``MUSEE_*`` variable
that nobody reads, since a misspelt setting is worse than a missing one.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, IPvAnyAddress, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from streams.errors import ConfigError

PREFIX = "MUSEE_"
LOOPBACK = "127.0.0.1"
Port = Annotated[int, Field(ge=1, le=65535)]
SECRETS = frozenset({"dev_key", "viewer_token", "operator_token"})  # settings that are never shown, written or logged
SECRET_LENGTH = 20  # characters at least: nobody guesses so many over a network
_Token = Annotated[str, Field(min_length=SECRET_LENGTH, pattern=r"^[\x21-\x7e]+$")]


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "musee"


def networks(addresses: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of ``10.0.0.5,192.168.7.0/24``; ``ValueError`` for one that is none, or that holds everybody."""
    found = tuple(ip_network(one.strip(), strict=False) for one in (addresses or "").split(",") if one.strip())
    if any(one.prefixlen == 0 for one in found):
        raise ValueError("a network of every address would let everybody say that it came by TLS")
    return found


def _with_networks(addresses: str) -> str:
    if not networks(addresses):
        raise ValueError("an address or network is expected")
    return addresses


class Settings(BaseSettings):
    """What a program of ours needs to know before it starts. Only console and gateway ever leave loopback."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` hands over counts, so that what it checked is what holds."""
        return (init_settings,)

    home: Path = Field(Path(".musee"), description="local state: data, logs, keys, pid files")
    cache: Path = Field(default_factory=_user_cache, description="downloads kept for all checkouts of a user")

    kafka: Annotated[str, Field(pattern=r"^[^\s/,]+:\d+(,[^\s/,]+:\d+)*$")] | None = Field(
        None, description="bootstrap servers of your own Kafka; unset: the embedded one"
    )
    redis: Annotated[str, Field(pattern=r"^(rediss?|unix)://")] | None = Field(
        None, description="URL of your own Redis or Valkey; unset: the embedded one"
    )
    clickhouse: Annotated[str, Field(pattern=r"^https?://")] | None = Field(
        None, description="HTTP URL of your own ClickHouse; unset: the embedded one"
    )
    schema_registry: Annotated[str, Field(pattern=r"^https?://")] | None = Field(
        None, description="URL of another Confluent-compatible schema registry; unset: ids.json in schemas/"
    )

    console_port: Port = Field(8080, description="page, /v1/now and the SSE feed")
    gateway_port: Port = Field(8081, description="POST /v1/events")
    agents_port: Port = Field(8082, description="metrics and health of the agents")
    sink_port: Port = Field(8083, description="metrics and health of the sink")
    kafka_port: Port = Field(9092, description="embedded Kafka")
    kafka_controller_port: Port = Field(9093, description="embedded Kafka's controller")
    redis_port: Port = Field(6379, description="embedded Valkey")
    clickhouse_port: Port = Field(8123, description="embedded ClickHouse HTTP endpoint")

    dev_key: str | None = Field(
        None, repr=False, description="API key of the gateway; unset: made once, kept in MUSEE_HOME"
    )
    bind: IPvAnyAddress = Field(
        IPv4Address(LOOPBACK),
        description="address of console and gateway; any but loopback needs a token or key, and TLS or a proxy",
    )
    operator_token: _Token | None = Field(
        None, repr=False, description="signs in at the console to look and to act; at least 20 characters"
    )
    viewer_token: _Token | None = Field(
        None, repr=False, description="signs in at the console to look only; at least 20 characters"
    )
    tls_cert: Path | None = Field(None, description="PEM file of the certificate and its chain, for https")
    tls_key: Path | None = Field(None, description="PEM file of its key; unset: it stands in MUSEE_TLS_CERT")
    trusted_proxy: Annotated[str, AfterValidator(_with_networks)] | None = Field(
        None, description="addresses or networks of the proxy that speaks TLS for us: its X-Forwarded-… are believed"
    )
    demo: bool = Field(True, description="musee up plays a simulated day over 60 museums and monuments, day after day")

    slot: Annotated[int, Field(ge=0)] = Field(0, description="number of this worker, its static Kafka membership")
    fetch_max_wait_ms: Annotated[int, Field(ge=1)] = Field(25, description="how long the broker gathers a fetch")
    fetch_min_bytes: Annotated[int, Field(ge=1)] = Field(1_000_000, description="bytes that end the wait earlier")
    max_poll_records: Annotated[int, Field(ge=1)] = Field(4_000, description="records of one poll at most")
    sink_rows: Annotated[int, Field(ge=1)] = Field(20_000, description="rows of one landed block at most")
    sink_age_s: Annotated[float, Field(gt=0)] = Field(1.0, description="seconds a record waits for its block at most")
    sink_culprit_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="share of a block that may be dead-lettered; above it (and 100 records) the sink holds"
    )
    seen_set: bool = Field(True, description="test switch: off counts a resent event twice")

    @property
    def kafka_servers(self) -> str:
        """Bootstrap servers, ``host:port[,host:port]``."""
        return self.kafka or f"{LOOPBACK}:{self.kafka_port}"

    @property
    def redis_url(self) -> str:
        """URL of the live store."""
        return self.redis or f"redis://{LOOPBACK}:{self.redis_port}/0"

    @property
    def clickhouse_url(self) -> str:
        """HTTP URL of the warehouse."""
        return self.clickhouse or f"http://{LOOPBACK}:{self.clickhouse_port}"

    @property
    def console_url(self) -> str:
        """Base URL of the page and its API, from this machine."""
        return self._url(self.console_port)

    @property
    def gateway_url(self) -> str:
        """Base URL of the door, from this machine."""
        return self._url(self.gateway_port)

    @property
    def exposed(self) -> bool:
        """Whether others than this machine reach console and gateway, by themselves or through a proxy on it."""
        return not self.bind.is_loopback or self.trusted_proxy is not None

    def _url(self, port: int) -> str:
        host = type(self.bind)(LOOPBACK if self.bind.version == 4 else "::1") if self.bind.is_unspecified else self.bind
        return f"{'https' if self.tls_cert else 'http'}://{f'[{host}]' if host.version == 6 else host}:{port}"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises:
        ConfigError: one line per fault: the variable, its value, what was expected.
    """
    env = dict(os.environ if environ is None else environ)
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    faults = [
        f"{name}: no such setting; `musee doctor` lists them"
        for name in sorted(env)
        if name.startswith(PREFIX) and name not in known
    ]
    given = {name.removeprefix(PREFIX).lower(): value for name, value in env.items() if name in known and value != ""}
    try:
        # Values are passed by name, so that what was read above is what is checked here.
        settings = Settings.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            value = "(not shown)" if name in SECRETS else repr(fault["input"])
            faults.append(f"{PREFIX}{name.upper()}={value}: {fault['msg']}")
        raise ConfigError("\n".join(faults)) from None
    if faults:
        raise ConfigError("\n".join(faults))
    return settings
