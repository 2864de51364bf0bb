"""Another registry: its ids are written, ours stay readable, and what would be misread is refused."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streams.adapters import avro, registry, schema_registry
from streams.config import Settings
from streams.core import blocks
from streams.errors import ConfigError, Unavailable
from tests.adapters.test_registry import GOLDEN
from tests.registries import OtherRegistry, serving

NAMES = sorted(registry.ids(), key=lambda name: registry.ids()[name])


@pytest.fixture(autouse=True)
def ours_again() -> Iterator[None]:
    yield
    registry.adopt({})


def settings(url: str) -> Settings:
    return Settings.model_validate({"schema_registry": url})


def test_without_the_setting_our_ids_are_written() -> None:
    schema_registry.adopt(Settings.model_validate({}))

    assert [registry.by_name(name).schema_id for name in NAMES] == list(registry.ids().values())


def test_its_ids_are_written_and_ours_still_read() -> None:
    before = avro.encode(registry.by_name("ticket-scan.v2"), GOLDEN["ticket-scan.v2"])
    with serving(OtherRegistry(first=700).app) as url:
        schema_registry.push(url)
        schema_registry.adopt(settings(url))

    after = avro.encode(registry.by_name("ticket-scan.v2"), GOLDEN["ticket-scan.v2"])

    assert (blocks.schema_id(before), blocks.schema_id(after)) == (4, 703)
    assert before[blocks.HEAD_BYTES :] == after[blocks.HEAD_BYTES :]
    assert avro.decode(before) == avro.decode(after) == GOLDEN["ticket-scan.v2"]
    assert registry.by_id(703) is registry.by_name("ticket-scan.v2")
    assert registry.by_id(4).head == before[: blocks.HEAD_BYTES]
    with pytest.raises(ValueError, match="schema"):
        avro.decode(blocks.head(699) + before[blocks.HEAD_BYTES :])


def test_an_empty_registry_is_given_the_ids_that_we_have() -> None:
    with serving(OtherRegistry(first=1).app) as url:
        first, again = schema_registry.push(url), schema_registry.push(url)

    assert first == {name: (registry.ids()[name], True) for name in NAMES}
    assert again == {name: (registry.ids()[name], False) for name in NAMES}


def test_a_subject_gets_its_versions_in_order() -> None:
    other = OtherRegistry(first=50)
    with serving(other.app) as url:
        schema_registry.push(url)

    assert other.subjects["musee.ticket-scan.v1-value"] == [
        schema_registry.text("ticket-scan.v1"),
        schema_registry.text("ticket-scan.v2"),
        schema_registry.text("ticket-scan.v3"),
    ]


def test_a_schema_that_is_missing_there_is_named_with_the_way_to_register_it() -> None:
    other = OtherRegistry(first=50)
    with serving(other.app) as url:
        schema_registry.push(url)
        other.subjects["musee.site.v1-value"].pop()

        with pytest.raises(ConfigError, match=r"musee\.site\.v1-value; `musee schema push`"):
            schema_registry.adopt(settings(url))


def test_an_id_that_means_another_schema_here_is_refused() -> None:
    with serving(OtherRegistry(first=3).app) as url:
        with pytest.raises(ConfigError, match=r"id 3 is ticket-scan\.v1 there, and dead-letter\.v1 in schemas/ids"):
            schema_registry.push(url)
        with pytest.raises(ConfigError, match="misread"):
            schema_registry.adopt(settings(url))

    assert registry.by_name("ticket-scan.v1").schema_id == 1


@pytest.mark.parametrize(
    ("number", "sentence"), [(0, "answers 200"), (2**31, "answers 200"), (900, "is several there")]
)
def test_ids_that_no_record_could_be_read_by_are_refused(number: int, sentence: str) -> None:
    async def always(_: Request) -> Response:
        return JSONResponse({"id": number})

    app = Starlette(routes=[Route("/subjects/{subject}", always, methods=["POST"])])

    with serving(app) as url, pytest.raises(ConfigError, match=sentence):
        schema_registry.adopt(settings(url))


def test_a_registry_that_is_away_is_unavailable_and_its_password_is_not_shown() -> None:
    with pytest.raises(Unavailable) as away:
        schema_registry.adopt(settings("http://me:secret@127.0.0.1:9"))

    assert "127.0.0.1:9" in str(away.value)
    assert "secret" not in str(away.value)


def test_what_is_no_registry_is_said_to_be_none() -> None:
    with serving(Starlette()) as url, pytest.raises(ConfigError, match="answers 404 for"):
        schema_registry.adopt(settings(url))
