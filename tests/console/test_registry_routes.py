"""The registry's paths: Confluent's answers, Confluent's errors, and no way to write."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from streams.adapters import registry
from streams.adapters.schema_registry import MEDIA_TYPE, subject
from streams.console import registry as paths

SCANS = "musee.ticket-scan.v1-value"
NAMES = sorted(registry.ids())


@pytest_asyncio.fixture
async def there() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=Starlette(routes=list(paths.routes())))
    async with httpx2.AsyncClient(transport=transport, base_url="http://registry") as client:
        yield client


async def test_subjects_are_the_topics_with_value_behind(there: httpx2.AsyncClient) -> None:
    answer = await there.get("/subjects")

    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == sorted({subject(name) for name in NAMES})
    assert SCANS in answer.json()
    assert (await there.get("/subjects", params={"subjectPrefix": "musee.web"})).json() == [
        "musee.web-traffic.v1-value"
    ]


async def test_a_subject_has_the_versions_of_its_files(there: httpx2.AsyncClient) -> None:
    assert (await there.get(f"/subjects/{SCANS}/versions")).json() == [1, 2, 3]


@pytest.mark.parametrize("name", NAMES)
async def test_every_schema_is_found_by_version_and_by_id(there: httpx2.AsyncClient, name: str) -> None:
    number, version = registry.ids()[name], int(name.rpartition(".v")[2])

    by_version = (await there.get(f"/subjects/{subject(name)}/versions/{version}")).json()
    by_id = (await there.get(f"/schemas/ids/{number}", params={"subject": subject(name)})).json()

    assert {key: by_version[key] for key in ("subject", "version", "id")} == {
        "subject": subject(name),
        "version": version,
        "id": number,
    }
    assert by_id == {"schema": by_version["schema"]}
    assert json.loads(by_id["schema"]) == registry.by_name(name).definition
    assert (await there.get(f"/schemas/ids/{number}/versions")).json() == [
        {"subject": subject(name), "version": version}
    ]
    assert (await there.get(f"/schemas/ids/{number}/subjects")).json() == [subject(name)]
    assert (await there.get(f"/schemas/ids/{number}/schema")).json() == json.loads(by_id["schema"])


@pytest.mark.parametrize("latest", ["latest", "-1"])
async def test_the_latest_version_is_the_newest(there: httpx2.AsyncClient, latest: str) -> None:
    answer = (await there.get(f"/subjects/{SCANS}/versions/{latest}")).json()

    assert (answer["version"], answer["id"]) == (3, 12)
    assert (await there.get(f"/subjects/{SCANS}/versions/{latest}/schema")).json() == json.loads(answer["schema"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/subjects/nobody-value/versions", 404, 40401),
        ("/subjects/nobody-value/versions/1", 404, 40401),
        ("/config/nobody-value", 404, 40401),
        (f"/subjects/{SCANS}/versions/99", 404, 40402),
        (f"/subjects/{SCANS}/versions/0", 422, 42202),
        (f"/subjects/{SCANS}/versions/newest", 422, 42202),
        (f"/subjects/{SCANS}/versions/2147483648", 422, 42202),
        ("/schemas/ids/999", 404, 40403),
        ("/schemas/ids/x", 404, 40403),
        ("/schemas/ids/1_0", 404, 40403),
        ("/schemas/ids/%D9%A1", 404, 40403),
        (f"/subjects/{SCANS}/versions/+1", 422, 42202),
    ],
)
async def test_what_is_not_there_is_said_with_confluents_code(
    there: httpx2.AsyncClient, path: str, status: int, code: int
) -> None:
    answer = await there.get(path)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.json()["message"]
    assert answer.headers["content-type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/config", {"compatibilityLevel": "BACKWARD_TRANSITIVE"}),
        (f"/config/{SCANS}", {"compatibilityLevel": "BACKWARD_TRANSITIVE"}),
        ("/mode", {"mode": "READONLY"}),
        (f"/mode/{SCANS}", {"mode": "READONLY"}),
        ("/schemas/types", ["AVRO"]),
        (f"/subjects/{SCANS}/versions/1/referencedby", []),
    ],
)
async def test_clients_are_told_the_rules(there: httpx2.AsyncClient, path: str, told: Any) -> None:
    assert (await there.get(path)).json() == told


async def test_all_schemas_are_listed(there: httpx2.AsyncClient) -> None:
    answer = (await there.get("/schemas")).json()

    assert {one["id"] for one in answer} == set(registry.ids().values())


# -- looking a schema up -----------------------------------------------------------------------------------------------


async def look_up(there: httpx2.AsyncClient, schema: Any, of: str = SCANS) -> httpx2.Response:
    return await there.post(f"/subjects/{of}", json={"schema": json.dumps(schema)})


@pytest.mark.parametrize("name", NAMES)
async def test_a_schema_is_found_whatever_its_layout_and_docs(there: httpx2.AsyncClient, name: str) -> None:
    schema = registry.by_name(name).definition
    bare = {key: schema[key] for key in reversed(schema) if key != "doc"}
    bare["fields"] = [
        {key: one[key] for key in reversed(one) if key not in ("doc", "pii", "unit")} for one in schema["fields"]
    ]

    answer = (await look_up(there, bare, subject(name))).json()

    assert (answer["subject"], answer["id"]) == (subject(name), registry.ids()[name])
    assert answer["version"] == int(name.rpartition(".v")[2])


async def test_a_schema_that_means_something_else_is_not_found(there: httpx2.AsyncClient) -> None:
    other = {**registry.by_name("ticket-scan.v2").definition}
    other["fields"] = [*other["fields"][:-1], {**other["fields"][-1], "name": "slot"}]

    answer = await look_up(there, other)

    assert (answer.status_code, answer.json()["error_code"]) == (404, 40403)
    assert (await look_up(there, other, "nobody-value")).json()["error_code"] == 40401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": 3}',
        b'{"schema": "{"}',
        b'{"schema": "{\\"type\\": \\"record\\"}"}',
        b'{"schema": "\\"string\\""}',
        b'{"schema": "{}", "schemaType": "PROTOBUF"}',
        json.dumps({"schema": "[" * 100_000}).encode(),
        json.dumps({"schema": '{"type":"record","name":"R","fields":' + "[" * 900 + "]" * 900 + "}"}).encode(),
    ],
)
async def test_what_is_no_schema_is_refused(there: httpx2.AsyncClient, body: bytes) -> None:
    answer = await there.post(f"/subjects/{SCANS}", content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (422, 42201)


async def test_a_body_beyond_reason_is_refused(there: httpx2.AsyncClient) -> None:
    assert (await there.post(f"/subjects/{SCANS}", content=b" " * 1_048_577)).status_code == 413


async def test_a_schema_to_come_is_compared_with_all_versions_and_changes_nothing(there: httpx2.AsyncClient) -> None:
    other = {**registry.by_name("ticket-scan.v2").definition}
    sound, broken = ({"name": "price", "type": "int", **default} for default in ({"default": 0}, {}))
    path = f"/compatibility/subjects/{SCANS}/versions"

    answers = [
        (await there.post(f"{path}{of}?verbose=true", json={"schema": json.dumps({**other, "fields": fields})})).json()
        for of, fields in (
            ("", [*other["fields"], sound]),
            ("/latest", [*other["fields"], broken]),
        )
    ]

    assert answers == [
        {"is_compatible": True, "messages": []},
        {
            "is_compatible": False,
            "messages": ["it cannot read what ticket-scan.v3 wrote: field price has no default"],
        },
    ]
    assert (await there.get(f"/subjects/{SCANS}/versions")).json() == [1, 2, 3]


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/subjects/{SCANS}/versions"),
        ("DELETE", f"/subjects/{SCANS}"),
        ("DELETE", f"/subjects/{SCANS}/versions/1"),
        ("PUT", "/config"),
        ("PUT", f"/config/{SCANS}"),
        ("DELETE", f"/config/{SCANS}"),
        ("PUT", "/mode"),
    ],
)
async def test_whatever_would_write_is_refused_and_says_where_the_registry_is(
    there: httpx2.AsyncClient, method: str, path: str
) -> None:
    schema = json.dumps(registry.by_name("ticket-scan.v2").definition)

    answer = await there.request(method, path, json={"schema": schema})

    assert (answer.status_code, answer.json()["error_code"]) == (405, 405)
    assert "folder schemas/ of the repository" in answer.json()["message"]
    assert answer.headers["allow"]
