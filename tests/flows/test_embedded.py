"""The embedded parts: they start, keep their data over kill -9, listen on loopback only; and `musee up` as a whole."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.adapters import readiness
from streams.config import LOOPBACK, Settings
from streams.embedded import doctor, jars, kafka, record, stack
from streams.embedded.supervisor import Child
from streams.errors import StartError
from tests.beds import Bed, Part, free_port, one_answer, wait_for

SECOND_START_S = 20.0  # the promise of the README


def listening(pid: int) -> set[str]:
    return {one.laddr.ip for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN}


async def new_topic(servers: str, replicas: int = 1) -> str:
    topic = f"test-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, replicas)])
    await admin.close()
    return topic


async def send(servers: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, value)
    await producer.stop()


async def read(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    await consumer.seek_to_beginning()
    values = [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]
    await consumer.stop()
    return [value for value in values if value is not None]


async def test_kafka_keeps_what_it_confirmed_over_a_kill(bed: Bed) -> None:
    values = [f"value {number}".encode() for number in range(200)]
    topic = await new_topic(bed.kafka.address)
    await send(bed.kafka.address, topic, values)

    await asyncio.to_thread(bed.kafka.kill)
    await asyncio.to_thread(bed.kafka.start)

    assert await read(bed.kafka.address, topic, len(values)) == values


def test_valkey_keeps_its_data_over_a_kill(bed: Bed) -> None:
    key = uuid.uuid4().hex
    client = redis.Redis.from_url(bed.redis.address)
    client.hset(key, mapping={"in": 418, "out": 435})

    bed.redis.kill()
    bed.redis.start()

    assert client.hgetall(key) == {b"in": b"418", b"out": b"435"}


def test_valkey_starts_on_a_file_that_was_cut_off_in_mid_write(bed: Bed) -> None:
    key = uuid.uuid4().hex
    client = redis.Redis.from_url(bed.redis.address)
    client.set(key, "whole")
    bed.redis.kill()
    (appended,) = (bed.folder / "redis" / "appendonlydir").glob("*.incr.aof")
    with appended.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nhalf")

    bed.redis.start()

    assert client.get(key) == b"whole"


def test_valkey_never_evicts_and_writes_every_second(bed: Bed) -> None:
    client = redis.Redis.from_url(bed.redis.address)

    wanted = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}
    wanted |= {"aof-load-truncated": "yes"}

    assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_all_parts_listen_on_loopback_only(bed: Bed) -> None:
    # Java listens on 127.0.0.1 by way of an IPv6 socket.
    assert {ip for part in bed.parts for ip in listening(part.pid)} <= {LOOPBACK, f"::ffff:{LOOPBACK}"}
    assert all(listening(part.pid) for part in bed.parts)


def test_kafka_makes_no_topic_of_a_misspelt_name(bed: Bed) -> None:
    properties = (bed.folder / "kafka" / "server.properties").read_text()

    assert "auto.create.topics.enable=false" in properties


@pytest.mark.parametrize("name", ["kafka", "redis"])
def test_a_part_that_hangs_is_not_ready_and_is_again_when_it_goes_on(bed: Bed, name: str) -> None:
    part: Part = getattr(bed, name)
    probe = readiness.kafka(part.address) if name == "kafka" else readiness.redis(part.address)
    assert asyncio.run(one_answer(probe)) is None

    part.stop()
    hanging = asyncio.run(one_answer(probe))
    part.cont()

    assert hanging is not None
    wait_for(lambda: asyncio.run(one_answer(probe)) is None)


def test_a_part_that_is_away_says_that_nothing_listens() -> None:
    port = free_port()
    probes = [
        readiness.kafka(f"{LOOPBACK}:{port}"),
        readiness.redis(f"redis://{LOOPBACK}:{port}"),
        readiness.http(f"http://{LOOPBACK}:{port}/ready"),
    ]

    assert {asyncio.run(one_answer(probe)) for probe in probes} == {"nothing listens there"}


def test_a_program_that_is_not_ready_says_what_it_waits_for() -> None:
    class Unready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "not ready", "missing": ["redis", "kafka"]}).encode()
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer((LOOPBACK, 0), Unready)
    threading.Thread(target=server.handle_request, daemon=True).start()

    reason = asyncio.run(one_answer(readiness.http(f"http://{LOOPBACK}:{server.server_port}/ready")))
    server.server_close()

    assert reason == "waits for redis, kafka"


def test_formatting_that_was_cut_short_is_done_again_and_once(tmp_path: Path, cache: Path) -> None:
    node = kafka.Node(tmp_path / "Musée 1", free_port(), free_port())
    (node.folder / "data.part").mkdir(parents=True)
    (node.folder / "data.part" / "half.written").touch()

    kafka.prepare(node, jars.fetch(cache))
    first = (node.data / "meta.properties").read_text()
    kafka.prepare(node, jars.fetch(cache))

    assert (node.data / "meta.properties").read_text() == first
    assert not (node.data / "half.written").exists()
    assert not (node.folder / "data.part").exists()


def test_a_folder_that_kafka_cannot_name_is_refused(tmp_path: Path) -> None:
    node = kafka.Node(tmp_path / "a,b", free_port(), free_port())

    with pytest.raises(StartError, match="comma"):
        kafka.prepare(node, [])


async def test_three_nodes_make_a_cluster_that_outlives_one(tmp_path: Path, cache: Path) -> None:
    nodes = [kafka.Node(tmp_path / f"kafka-{n}", free_port(), free_port(), n) for n in (1, 2, 3)]
    class_path, cluster_id = jars.fetch(cache), kafka.new_cluster_id()
    for node in nodes:
        await asyncio.to_thread(kafka.prepare, node, class_path, nodes, cluster_id=cluster_id)
    servers = ",".join(f"{LOOPBACK}:{node.port}" for node in nodes)
    parts = [
        Part(
            f"kafka-{node.number}",
            f"{LOOPBACK}:{node.port}",
            kafka.command(node, heap_mb=256),
            readiness.kafka(f"{LOOPBACK}:{node.port}"),
            log=tmp_path / f"kafka-{node.number}.log",
            env=kafka.ENVIRONMENT,
        )
        for node in nodes
    ]
    try:
        for part in parts:
            part.spawn()
        for part in parts:
            await asyncio.to_thread(part.start)
        topic = await new_topic(servers, replicas=3)
        await send(servers, topic, [b"before"])

        await asyncio.to_thread(parts[0].kill)
        await asyncio.wait_for(send(servers, topic, [b"after"]), 40)

        assert await read(servers, topic, 2) == [b"before", b"after"]
    finally:
        for part in parts:
            part.kill()


async def _no_setup(settings: Settings, say: object) -> None:
    """Nothing to set up."""


def test_a_service_of_your_own_is_not_started(bed: Bed, tmp_path: Path) -> None:
    own = bed.settings(tmp_path)
    embedded = own.model_copy(update={"kafka": None, "redis": None, "clickhouse": None})
    names = {
        which: [part.name for part in stack.parts(settings, _no_setup, print)]
        for which, settings in (("own", own), ("embedded", embedded))
    }

    assert names["own"] == ["setup", "gateway", "agents", "sink", "console", "demo"]
    assert names["embedded"] == ["kafka", "redis", "clickhouse", *names["own"]]


def test_a_service_of_your_own_that_is_away_is_named_without_its_password(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = bed.settings(tmp_path, redis=f"redis://me:secret@{LOOPBACK}:{free_port()}/0")
    monkeypatch.setattr(stack, "_OWN_PATIENCE_S", 0.5)

    with pytest.raises(StartError) as refused:
        asyncio.run(stack.ensure_reachable(away))

    (line,) = str(refused.value).splitlines()
    assert line.startswith("MUSEE_REDIS=redis://me:…@")
    assert "nothing listens there" in line


def test_children_read_the_settings_that_the_supervisor_read(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "console_port": 18080, "demo": True, "kafka": "broker:1"})

    children = [part for part in stack.parts(settings, _no_setup, print) if isinstance(part, Child)]
    console = next(child for child in children if child.name == "console")

    assert console.env["MUSEE_CONSOLE_PORT"] == "18080"
    assert console.env["MUSEE_HOME"] == str(tmp_path)
    assert console.env["MUSEE_DEMO"] == "true"
    assert "MUSEE_REDIS" not in console.env


async def test_doctor_names_what_is_wrong_with_its_fix_and_shows_no_secret(bed: Bed, tmp_path: Path) -> None:
    tampered = jars.cache_folder(tmp_path / "cache") / jars.locked()[0].name
    tampered.parent.mkdir(parents=True)
    tampered.write_bytes(b"tampered with")
    away = f"redis://me:secret@{LOOPBACK}:{free_port()}/0"
    sick = bed.settings(tmp_path, kafka=None, redis=away, cache=tmp_path / "cache", dev_key="secret")

    problems = {one.what: one for one in await doctor.findings(sick) if one.verdict == "problem"}
    rows = {row.variable: row for row in doctor.setting_rows(sick)}

    assert set(problems) - {"port 9092", "port 9093"} == {"Kafka's jars", "your redis"}
    assert all(problem.fix for problem in problems.values())
    assert str(tampered) in problems["Kafka's jars"].detail
    assert set(rows) == {f"MUSEE_{name.upper()}" for name in Settings.model_fields}
    assert all(row.description for row in rows.values())
    assert "secret" not in f"{problems} {rows}"


def test_doctor_lists_a_misspelt_variable_beside_the_rest() -> None:
    settings, faults = doctor.readable_settings({"MUSEE_SLOTT": "1", "MUSEE_SLOT": "2"})

    assert settings.slot == 2
    assert [(fault.what, fault.verdict) for fault in faults] == [("setting MUSEE_SLOTT", "problem")]


def _busy_s() -> float:
    """Seconds that the processors have worked for anybody."""
    told = psutil.cpu_times()
    return float(told.user + told.system + told.nice)


class Up:
    """`musee up` as a person would run it, on free ports."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        self.home = home
        self.env = env
        self.lines: list[str] = []
        self.began, self._busy_s = time.monotonic(), _busy_s()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "up"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip() for line in self.process.stdout)

    def wait(self) -> float:
        """Wait for the last of the six lines; seconds since the start, less what others took of the processors."""
        wait_for(
            lambda: any(line.startswith("try ") for line in self.lines) or self.process.poll() is not None,
            within_s=240,
            what="the start",
        )
        assert self.process.poll() is None, "\n".join(self.lines)
        took_s = time.monotonic() - self.began
        ours_s = sum(one.user + one.system for one in (process.cpu_times() for process in self.family()))
        others_s = max(0.0, _busy_s() - self._busy_s - ours_s)
        return took_s - min(took_s, others_s / (os.cpu_count() or 1))

    def family(self) -> list[psutil.Process]:
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def musee(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams", *arguments], env=self.env, capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip


@pytest.fixture
def home_env(tmp_path: Path, cache: Path) -> Iterator[dict[str, str]]:
    parts = ("CONSOLE", "GATEWAY", "AGENTS", "SINK", "KAFKA", "KAFKA_CONTROLLER", "REDIS", "CLICKHOUSE")
    env = {f"MUSEE_{part}_PORT": str(free_port()) for part in parts}
    env |= {"MUSEE_HOME": str(tmp_path / "home"), "MUSEE_CACHE": str(cache)}
    yield os.environ | env
    found = record.read(tmp_path / "home")
    if found is not None:
        found.supervisor.signal(signal.SIGKILL)
        record.end(found.processes())


def users_of(folder: Path) -> list[int]:
    """Processes that have a file below the folder open."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(file.path.startswith(str(folder)) for file in process.open_files()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def what_it_says_to_try_works(stack: Up, said: list[str]) -> None:
    """Run the commands behind each ``try`` as a reader pastes them into a shell, and look at what they promise."""
    wait_for(lambda: any("why example" in line for line in stack.lines), what="the last line")
    said = stack.lines[stack.lines.index(said[0]) :]
    starts = [place for place, line in enumerate(said) if line.startswith("try ")] + [len(said)]
    commands = ["\n".join(line[9:] for line in said[a + 1 : b]) for a, b in pairwise(starts)]
    assert [line[:5] for line in said if line.startswith("try ")] == ["try 1", "try 2", "try 3"]
    console = f"http://{LOOPBACK}:{stack.env['MUSEE_CONSOLE_PORT']}"

    def now() -> dict[str, Any]:
        (site,) = httpx2.get(f"{console}/v1/now?site=example", trust_env=False).json()["sites"]
        return dict(site)

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{stack.env['PATH']}"
        return subprocess.run(
            ["bash", "-c", command], env=stack.env | {"PATH": path}, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    told = shell(commands[0])
    assert '"event_ids"' in told.stdout, told.stdout + told.stderr
    wait_for(lambda: now()["entries"] == 1, what="somebody inside")
    assert shell(commands[1]).returncode == 0
    wait_for(lambda: now()["state"] == "stale", within_s=5, what="figures that say that counting stopped")
    assert shell(commands[1].replace("-STOP", "-CONT")).returncode == 0
    wait_for(lambda: now()["state"] != "stale", what="counting that goes on")
    why = shell(commands[2])
    assert (why.returncode, "equal" in why.stdout) == (0, True), why.stdout + why.stderr


@pytest.mark.timeout(600)
def test_up_starts_everything_twice_and_leaves_nothing(home_env: dict[str, str]) -> None:
    home = Path(home_env["MUSEE_HOME"])
    first = Up(home, home_env)
    first.wait()
    key = (home / "dev.key").read_text().strip()
    said = first.lines[first.lines.index(next(one for one in first.lines if "page " in one)) :]
    assert [line.split()[0] for line in said[:5]] == ["page", "gateway", "dev", "data", "stop"]
    assert said[2] == f"dev key  {key}"
    what_it_says_to_try_works(first, said)
    assert (home / "dev.key").stat().st_mode & 0o777 == 0o600
    assert httpx2.get(f"http://{LOOPBACK}:{home_env['MUSEE_CONSOLE_PORT']}/", trust_env=False).status_code == 200
    status = first.musee("status", "--json")
    assert status.returncode == 0, status.stdout
    assert {row["state"] for row in json.loads(status.stdout)["rows"]} == {"ready", "running"}
    doctor = json.loads(first.musee("doctor", "--json").stdout)
    assert {one["verdict"] for one in doctor["findings"]} <= {"ok", "note"}
    family = first.family()
    assert all(listening(process.pid) <= {LOOPBACK, f"::ffff:{LOOPBACK}"} for process in family)

    os.killpg(first.process.pid, signal.SIGINT)
    assert first.process.wait(60) == 0
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert users_of(home) == []
    assert "Nothing runs" in first.musee("status").stdout

    second = Up(home, home_env)
    assert second.wait() <= SECOND_START_S, "\n".join(second.lines)
    family = second.family()
    second.process.kill()
    second.process.wait()
    assert psutil.wait_procs(family, timeout=10)[1] == []

    third = Up(home, home_env)
    third.wait()
    family = third.family()
    down = third.musee("down")
    assert down.returncode == 0, down.stderr
    assert third.process.wait(60) == 0
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert (home / "dev.key").read_text().strip() == key
