"""Console and gateway as processes at an address that others reach: refused, or by TLS and with a secret."""

import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streams.adapters import listeners, readiness
from streams.config import Settings, load
from streams.core.sites import Gate, Site
from streams.embedded import doctor
from streams.errors import ConfigError
from tests.beds import Part, wait_for
from tests.certificates import self_signed
from tests.programs import World, environment, program, scan

OPERATOR, VIEWER, KEY = "operator-token-of-the-tests", "viewer-token-of-the-tests", "api-key-of-the-tests"
SITE = Site("behind-tls", "tests", "Musée derrière TLS", "Europe/Paris", gates=(Gate("main", "Main door"),))
OTHER = Site("behind-tls-2", "tests", "Musée d’à côté", "Europe/Paris")
OUTSIDE = {"MUSEE_BIND": "0.0.0.0"}
TOKEN, PROXY = {"MUSEE_VIEWER_TOKEN": VIEWER}, {"MUSEE_TRUSTED_PROXY": "10.0.0.5"}
SECRETS = {
    "console": {"MUSEE_OPERATOR_TOKEN", "MUSEE_VIEWER_TOKEN"},
    "gateway": {"MUSEE_DEV_KEY"},
}
WAYS = {"MUSEE_TLS_CERT", "MUSEE_TRUSTED_PROXY"}


def named(text: str) -> set[str]:
    """The settings that a refusal says to set."""
    return {word.strip(",:;()") for word in text.partition("set ")[2].split() if word.startswith("MUSEE_")}


def musee(verb: list[str], home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": "/usr/bin:/bin", "MUSEE_HOME": str(home), **env}
    return subprocess.run(
        [*program(verb[0]), *verb[1:]], env=told, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["console", "gateway"])
def test_at_an_address_of_others_a_program_refuses_to_start_and_names_the_two_settings(
    tmp_path: Path, name: str
) -> None:
    refused = musee([name], tmp_path, **OUTSIDE)

    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"MUSEE_BIND=0.0.0.0: others would reach the {name}; set ")
    assert named(line) == SECRETS[name] | WAYS
    assert " and MUSEE_TLS_CERT" in line


def test_the_whole_stack_refuses_too_before_it_starts_anything(tmp_path: Path) -> None:
    refused = musee(["up"], tmp_path / "home", **OUTSIDE)

    assert refused.returncode == 2
    assert [named(line) for line in refused.stderr.splitlines()] == [SECRETS[one] | WAYS for one in SECRETS]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "given", "missing"),
    [
        ("console", TOKEN, WAYS),
        ("console", PROXY, SECRETS["console"]),
        ("console", TOKEN | PROXY, set()),
        ("gateway", {"MUSEE_DEV_KEY": KEY}, WAYS),
        ("gateway", PROXY | TOKEN, SECRETS["gateway"]),
        ("gateway", PROXY | {"MUSEE_DEV_KEY": KEY}, set()),
    ],
)
def test_only_what_is_missing_is_named(name: listeners.Program, given: dict[str, str], missing: set[str]) -> None:
    made = {key.removeprefix("MUSEE_").lower(): value for key, value in (OUTSIDE | given).items()}

    found = listeners.faults(Settings.model_validate(made), name)

    assert [named(one) for one in found] == ([missing] if missing else [])


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, None),
        ({"bind": "127.0.0.2"}, None),
        ({"bind": "::1"}, None),
        ({"trusted_proxy": "127.0.0.1"}, "set MUSEE_OPERATOR_TOKEN"),
        ({"viewer_token": VIEWER, "operator_token": VIEWER}, "are the same"),
        ({"tls_key": "key.pem"}, "no MUSEE_TLS_CERT"),
        ({"tls_cert": "nowhere.pem"}, "No such file"),
        ({"tls_cert": "README.md"}, "no certificate"),
        ({"tls_cert": "ENCRYPTED"}, "unencrypted"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, given: dict[str, str], fault: str | None) -> None:
    if given.get("tls_cert") == "ENCRYPTED":
        given = {"tls_cert": str(self_signed(tmp_path / "locked.pem", password=b"secret"))}

    found = listeners.faults(Settings.model_validate(given), "console")

    assert len(found) == (fault is not None)
    assert (fault or "") in "".join(found)


def test_a_key_that_can_be_guessed_opens_no_gateway_to_others() -> None:
    short = Settings.model_validate({"bind": "0.0.0.0", "trusted_proxy": "10.0.0.5", "dev_key": "museum"})

    assert listeners.faults(short, "gateway") == [
        "MUSEE_DEV_KEY has fewer than 20 characters, and others reach the gateway"
    ]


@pytest.mark.parametrize("name", ["viewer_token", "operator_token", "dev_key"])
def test_a_secret_is_in_nothing_that_settings_say_of_themselves(name: str) -> None:
    kept = Settings.model_validate({name: "a-secret-that-is-long-enough"})

    assert "a-secret" not in repr(kept)
    assert "a-secret" not in str(list(doctor.setting_rows(kept)))


@pytest.mark.parametrize("name", ["VIEWER_TOKEN", "OPERATOR_TOKEN"])
def test_a_token_that_is_refused_is_not_shown(name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({f"MUSEE_{name}": "sh ort", "MUSEE_SLOT": "-1"})

    assert f"MUSEE_{name}=(not shown): " in str(refused.value)
    assert "MUSEE_SLOT='-1'" in str(refused.value)  # the control: others are
    assert "sh ort" not in str(refused.value)


async def test_doctor_says_who_gets_in_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    async def access(**changes: str) -> list[doctor.Finding]:
        settings = Settings.model_validate({"home": tmp_path, "cache": tmp_path, **changes})
        return [one for one in await doctor.findings(settings) if one.what == "access"]

    (alone,) = await access()
    bad = await access(bind="0.0.0.0")
    (well,) = await access(bind="0.0.0.0", trusted_proxy="10.0.0.5", dev_key=KEY, viewer_token=VIEWER)

    assert (alone.verdict, alone.detail) == ("ok", "this machine alone, no login")
    assert [(one.verdict, named(one.detail)) for one in bad] == [("problem", SECRETS[one] | WAYS) for one in SECRETS]
    assert (well.verdict, well.detail) == (
        "ok",
        "others, at 0.0.0.0, by TLS of the proxy 10.0.0.5; console: viewer token",
    )


# -- by TLS ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outside:
    """Console and gateway that listen to others by TLS, on the stores of the running world."""

    settings: Settings
    parts: dict[str, Part]
    certificate: Path

    def browser(self, **headers: str) -> httpx2.Client:
        """A browser that knows the certificate, at the name it is for."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        return httpx2.Client(
            base_url=self.settings.console_url, headers=headers, verify=context, trust_env=False, timeout=10
        )

    @contextmanager
    def signed_in(self, token: str) -> Iterator[httpx2.Client]:
        """A browser with a session; it says what browsers say."""
        with self.browser(Origin=self.settings.console_url, **{"Sec-Fetch-Site": "same-origin"}) as browser:
            assert browser.post("/login", data={"token": token}).status_code == 303
            yield browser

    def musee(self, *verb: str) -> str:
        """What a verb says, called on the same machine."""
        done = musee(list(verb), self.settings.home, **environment(self.settings))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def outside(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    home = tmp_path_factory.mktemp("outside")
    certificate = self_signed(home / "musee.pem")
    settings = running_world.bed.settings(
        home, bind="0.0.0.0", tls_cert=certificate, operator_token=OPERATOR, viewer_token=VIEWER, dev_key=KEY
    )
    running_world.publish([SITE, OTHER])
    parts = {}
    for name, url in (("console", settings.console_url), ("gateway", settings.gateway_url)):
        ready = readiness.http(f"{url}/ready", listeners.trust(settings))
        log = home / "logs" / f"{name}.log"
        parts[name] = Part(name, url, program(name), ready, log=log, env=environment(settings))
        parts[name].spawn()
    try:
        for part in parts.values():
            part.start()
        yield Outside(settings, parts, certificate)
    finally:
        for part in parts.values():
            part.terminate()


def problems(answers: list[httpx2.Response]) -> list[tuple[int, str]]:
    assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
    return [(one.status_code, one.json()["code"]) for one in answers]


def test_nothing_is_said_without_tls(outside: Outside) -> None:
    for part in outside.parts.values():
        with pytest.raises(httpx2.TransportError):
            httpx2.get(part.address.replace("https", "http") + "/health", trust_env=False)


def test_without_a_cookie_there_is_no_page_no_figure_and_no_feed(outside: Outside) -> None:
    with outside.browser() as browser:
        pages = [browser.get(path).headers.get("location") for path in ("/", "/site/behind-tls")]
        refused = [browser.get(path) for path in ("/v1/now", "/v1/feed", "/metrics")]
        login = browser.get("/login", headers={"Accept-Language": "fr"})

    assert pages == ["/login", "/login?next=%2Fsite%2Fbehind-tls"]
    assert problems(refused) == [(401, "not-signed-in")] * 3
    assert "<h1>Se connecter</h1>" in login.text
    assert 'name="token"' in login.text
    assert login.headers["cache-control"] == "no-store"


def test_a_viewer_looks_and_cannot_acknowledge(outside: Outside) -> None:
    with outside.signed_in(VIEWER) as viewer, outside.signed_in(OPERATOR) as operator:
        answers = []
        for browser in (viewer, operator):
            html = browser.get("/").text
            csrf = html.split('name="csrf-token" content="')[1].split('"')[0]
            answers.append(browser.post("/v1/alerts/nothing/acknowledge", headers={"X-CSRF-Token": csrf}, json={}))
        now = viewer.get("/v1/now", params={"site": SITE.site_id})
        without = operator.post("/v1/alerts/nothing/acknowledge", json={})

    assert problems(answers[:1]) == [(403, "operator-only")]
    assert answers[1].status_code not in (401, 403)  # the control: an operator is let through to what answers
    assert problems([without]) == [(403, "csrf")]
    assert now.json()["sites"][0]["site_id"] == SITE.site_id


def test_a_foreign_page_neither_writes_nor_listens(outside: Outside) -> None:
    with outside.signed_in(OPERATOR) as browser:
        csrf = browser.get("/").text.split('name="csrf-token" content="')[1].split('"')[0]
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": csrf}
        answers = [
            browser.post("/v1/alerts/nothing/acknowledge", headers=foreign, json={}),
            browser.get("/v1/feed", headers=foreign | {"Accept": "text/event-stream"}),
        ]
        with browser.stream("GET", "/v1/feed") as ours:
            status = ours.status_code

    assert problems(answers) == [(403, "cross-origin")] * 2
    assert status == 200


def test_every_cookie_is_for_our_own_pages_by_tls_alone(outside: Outside) -> None:
    made = json.loads(outside.musee("display", "add", SITE.site_id, "--note", "hall", "--json"))
    with outside.browser() as browser:
        answers = [
            browser.post("/login", data={"token": VIEWER}),
            browser.get("/?lang=fr"),
            browser.get(f"/wall/{SITE.site_id}", params={"token": made["token"]}),
        ]

    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]
    names = {one.partition("=")[0] for one in cookies}
    assert names == {"__Host-musee_session", "musee_lang", "musee_browser", "__Host-musee_wall"}
    for cookie in cookies:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=strict"} <= attributes, cookie


def test_a_revoked_display_loses_its_stream_within_five_seconds(outside: Outside) -> None:
    made = json.loads(outside.musee("display", "add", SITE.site_id, "--json"))
    assert made["token"] not in (outside.settings.home / "displays.json").read_text()
    assert made["display_id"] in outside.musee("display", "list")
    with outside.browser() as screen:
        link = screen.get(made["address"])
        assert (link.status_code, link.headers["location"]) == (303, f"/wall/{SITE.site_id}")
        others = [screen.get(f"/v1/{one}?site={OTHER.site_id}") for one in ("feed", "now", "day")]
        others.append(screen.get("/v1/now"))
        with screen.stream("GET", f"/v1/feed?site={SITE.site_id}") as stream:
            pieces = stream.iter_raw()
            next(pieces)
            outside.musee("display", "revoke", made["display_id"])
            revoked_s = time.monotonic()
            for _ in pieces:
                pass
            took_s = time.monotonic() - revoked_s
        after = screen.get(f"/v1/feed?site={SITE.site_id}")

    print(f"\nstream closed {took_s:.2f} s after `musee display revoke` had returned")
    assert problems(others) == [(403, "display")] * 4
    assert took_s <= 5
    assert problems([after]) == [(401, "not-signed-in")]


def test_events_come_in_by_tls_with_the_key_that_was_set(outside: Outside, running_world: World) -> None:
    wait_for(lambda: running_world.now(SITE.site_id) is not None, what="the site")
    sent = outside.musee("send", "--site", SITE.site_id, "--gate", "main", "--direction", "IN")
    address = f"{outside.settings.gateway_url}/v1/events"
    headers: dict[str, Any] = {"Content-Type": "application/cloudevents+json"}
    with outside.browser() as client:
        metrics = f"{outside.settings.gateway_url}/metrics"
        answers = [
            client.post(address, json=scan(SITE.site_id), headers=headers),
            client.post(address, json=scan(SITE.site_id), headers=headers | {"Authorization": f"Bearer {KEY}"}),
            client.get(metrics),
            client.get(metrics, headers={"Authorization": f"Bearer {KEY}"}),
        ]

    assert "accepted" in sent
    assert [one.status_code for one in answers] == [401, 202, 401, 200]
    wait_for(lambda: running_world.now(SITE.site_id)["entries"] == 2, what="both scans")


def test_no_secret_is_in_a_log(outside: Outside) -> None:
    with outside.browser() as browser:
        browser.post("/login", data={"token": f"{VIEWER}x"})
        browser.get(f"/wall/{SITE.site_id}", params={"token": f"{VIEWER}x"})

    logs = "".join(part.log.read_text() for part in outside.parts.values())
    assert "signed in" in logs  # the control: something was logged
    assert not [one for one in (OPERATOR, VIEWER, KEY) if one in logs]
