"""Adding a family touches a schema, a row of the topology, a migration and one function in core, and nothing else."""

import filecmp
import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import httpx2
import pytest
import redis

from streams.adapters import keys, live_keys, readiness
from streams.config import Settings
from streams.core.days import hour_name
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS
from tests.beds import Part, wait_for
from tests.programs import BATCH, environment, program

ROOT = Path(__file__).resolve().parents[2]
SITE = "example"
TALLY = '''"""Cloakroom: coats handed over, hour by hour."""

import polars as pl

from streams.core import hours
from streams.core.increments import Increments
from streams.core.sites import Sites

COLUMNS = (*hours.COLUMNS, "coats")


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    frame = hours.counted(frame)
    metrics = {"coats": pl.col("coats").cast(pl.Int64).sum()}
    return Increments(hours.sums(frame, metrics), hours.last_heard(frame))
'''
ROW = """
COAT_CHECK = Family(
    "coat-check",
    table="coat_check",
    at_the_door=True,
    live=Live(coats.COLUMNS, coats.tally),
)
"""


def invent(copy: Path) -> None:
    """Add the family ``coat-check`` to a copy of the program."""
    schema = json.loads((copy / "schemas/web-traffic.v1.avsc").read_text())
    envelope = schema["fields"][: [field["name"] for field in schema["fields"]].index("page_views")]
    own = {"name": "coats", "type": "int", "doc": "Coats handed over.", "pii": "none", "unit": "coats", "min": 1}
    newest = json.loads((copy / "schemas/web-traffic.v2.avsc").read_text())["fields"]
    envelope += [field for field in newest if field["name"] == "device_at"]
    schema |= {"name": "CoatCheck", "fields": [*envelope, own]}
    (copy / "schemas/coat-check.v1.avsc").write_text(json.dumps(schema))
    ids = json.loads((copy / "schemas/ids.json").read_text())
    (copy / "schemas/ids.json").write_text(json.dumps(ids | {"coat-check.v1": max(ids.values()) + 1}))
    (copy / "streams/core/coats.py").write_text(TALLY)
    topology = (copy / "streams/topology.py").read_text()
    topology = topology.replace("from streams.core import actions,", "from streams.core import actions, coats,", 1)
    topology = topology.replace("FAMILIES = (\n", f"{ROW}\nFAMILIES = (\n    COAT_CHECK,\n", 1)
    (copy / "streams/topology.py").write_text(topology)
    tables = (copy / "deploy/clickhouse/0009_actions_web_devices.sql").read_text()
    table = tables[tables.index("CREATE TABLE musee.web_traffic") : tables.index("CREATE TABLE musee.device_status")]
    lines = [line for line in table.replace("web_traffic", "coat_check").splitlines() if "CHECK page_views" not in line]
    counts = next(place for place, line in enumerate(lines) if line.strip().startswith("page_views"))
    lines[counts] = "    coats Int32 COMMENT 'coats handed over',"
    lines.insert(counts, "    device_at Nullable(DateTime64(3, 'UTC')) COMMENT 'by its own clock',")
    kept = [one for one in lines if one.split()[:1] not in (["assets"], ["robots"], ["errors"])]
    text = "\n".join(kept).replace("isValidUTF8(org_id),\n)", "isValidUTF8(org_id)\n)")
    number = len(list((copy / "deploy/clickhouse").glob("*.sql"))) + 1
    (copy / f"deploy/clickhouse/{number:04d}_coat_check.sql").write_text(text)


def differing(copy: Path) -> set[str]:
    """Files of a copy that are not as in the checkout."""
    files = (one for one in copy.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    names = {str(one.relative_to(copy)): one for one in files}
    return {
        name for name, one in names.items() if not (ROOT / name).is_file() or not filecmp.cmp(one, ROOT / name, False)
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    for name in ("streams", "schemas", "deploy"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def parts(copy: Path, settings: Settings) -> Iterator[dict[str, Part]]:
    """Gateway, agents and sink of the copy, not yet started."""
    env = environment(settings) | {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}
    made = {}
    for name in ("gateway", "agents", "sink"):
        address = f"http://127.0.0.1:{getattr(settings, f'{name}_port')}"
        log = settings.home / "logs" / f"{name}.log"
        made[name] = Part(name, address, program(name), readiness.http(f"{address}/ready"), log=log, env=env)
    yield made
    for part in made.values():
        part.terminate()


def set_up(copy: Path, settings: Settings) -> None:
    """Topics, tables and sites, as the copy has them."""
    code = "import asyncio; from streams import config; from streams.cli.setup import setup; "
    code += "asyncio.run(setup(config.load(), print))"
    env = environment(settings) | {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.timeout(180)
def test_an_invented_family_reaches_live_counts_and_history(
    copy: Path, settings: Settings, parts: dict[str, Part]
) -> None:
    invent(copy)
    set_up(copy, settings)
    for part in parts.values():
        part.spawn()
    for part in parts.values():
        part.start()
    now_ms = time.time_ns() // 1_000_000
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/tests",
        "type": "musee.coat-check.v1",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000)),
        "data": {"site_id": SITE, "coats": 3},
    }
    headers = {"Authorization": f"Bearer {keys.dev_key(settings)}", "Content-Type": BATCH}

    answers = [httpx2.post(f"{parts['gateway'].address}/v1/events", json=[event], headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    key = live_keys.hours(partition_of(SITE, PARTITIONS), SITE, hour_name(now_ms))
    with redis.Redis.from_url(settings.redis_url, decode_responses=True) as live:
        wait_for(lambda: live.hget(key, "coats") == "3", what="the live count")
    host, port = settings.clickhouse_url.removeprefix("http://").split(":")
    client = clickhouse_connect.get_client(host=host, port=int(port), autogenerate_session_id=False)
    landed = "SELECT count(), uniqExact(event_id), any(coats) FROM musee.coat_check"
    wait_for(lambda: client.query(landed).result_rows[0] == (2, 1, 3), what="the row in ClickHouse")
    client.close()


def test_it_takes_five_files(copy: Path) -> None:
    invent(copy)

    number = len(list((ROOT / "deploy/clickhouse").glob("*.sql"))) + 1
    assert differing(copy) == {
        "schemas/coat-check.v1.avsc",
        "schemas/ids.json",
        "streams/core/coats.py",
        "streams/topology.py",
        f"deploy/clickhouse/{number:04d}_coat_check.sql",
    }


def test_control_without_its_row_in_the_topology_the_door_knows_no_such_family(copy: Path) -> None:
    invent(copy)
    shutil.copy(ROOT / "streams/topology.py", copy / "streams/topology.py")
    code = "from streams.topology import BY_TOPIC; print('musee.coat-check.v1' in BY_TOPIC)"

    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(copy)}, cwd=copy, capture_output=True, text=True
    )

    assert found.stdout.strip() == "False"
