"""``schemas/`` on the paths of a Confluent schema registry, for other people's clients. Reads only.

Answers and errors have the form of Confluent's API: ``{"error_code": 40401, "message": …}``. A subject is a topic's
name with ``-value``; a version is the number at the end of a schema file's name. Whatever would write is refused: the
registry is a folder of the repository, and a new schema gets in by a change to it. Wired by ``console.server``.

Source: Confluent, "Schema Registry API Reference".
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streams.adapters import compatibility, registry
from streams.adapters.schema_registry import MEDIA_TYPE, subject, text
from streams.errors import ConfigError

LEVEL = "BACKWARD_TRANSITIVE"
_BODY_BYTES = 1024 * 1024
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_LARGEST = 2**31 - 1
_READ_ONLY = (
    "this registry is the folder schemas/ of the repository and is read only: "
    "add a file there, and `musee schema check` it"
)

Handler = Callable[[Request], Awaitable[object]]


class _Fault(Exception):  # noqa: N818 - an answer
    """An error in Confluent's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _answer(document: object, status: int = 200, **headers: str) -> Response:
    return JSONResponse(document, status, headers={"Cache-Control": "no-store", **headers}, media_type=MEDIA_TYPE)


def _resource(path: str, get: Handler | None = None, post: Handler | None = None) -> Route:
    """A path with what may be read there; every other method is a write and refused as one."""
    given = {"GET": get, "HEAD": get, "POST": post}
    allowed = ", ".join(method for method, handler in given.items() if handler)

    async def answer(request: Request) -> Response:
        handler = given.get(request.method)
        try:
            if handler is None:
                raise _Fault(405, 405, _READ_ONLY)
            return _answer(await handler(request))
        except _Fault as fault:
            headers = {"Allow": allowed} if fault.status == 405 else {}
            return _answer({"error_code": fault.code, "message": fault.message}, fault.status, **headers)

    return Route(path, answer, methods=_METHODS)


# -- what there is -----------------------------------------------------------------------------------------------------


def _subjects() -> dict[str, dict[int, str]]:
    """Subject → version → name of the schema, both ascending."""
    found: dict[str, dict[int, str]] = {}
    for name in sorted(registry.ids(), key=lambda one: (subject(one), compatibility.version(one))):
        found.setdefault(subject(name), {})[compatibility.version(name)] = name
    return found


def _versions(request: Request) -> dict[int, str]:
    asked = request.path_params["subject"]
    try:
        return _subjects()[asked]
    except KeyError:
        raise _Fault(404, 40401, f"Subject '{asked}' not found.") from None


def _number(asked: str) -> int:
    """A number in a path; ``ValueError`` for what Python alone would read as one, such as ``1_0``."""
    if not re.fullmatch(r"-?[0-9]{1,10}", asked):
        raise ValueError(asked)
    return int(asked)


def _name(request: Request) -> str:
    """The schema that a path with subject and version means."""
    asked = request.path_params["version"]
    try:
        number = -1 if asked == "latest" else _number(asked)
    except ValueError:
        number = 0
    if number != -1 and not 1 <= number <= _LARGEST:
        raise _Fault(422, 42202, f"The specified version '{asked}' is not a valid version id. Allowed values are "
                                 f"between [1, {_LARGEST}] and the string \"latest\"")  # fmt: skip
    versions = _versions(request)
    if number == -1:
        return versions[max(versions)]
    if number not in versions:
        raise _Fault(404, 40402, f"Version {number} not found.")
    return versions[number]


def _by_id(request: Request) -> str:
    asked = request.path_params["id"]
    try:
        return registry.by_id(_number(asked)).name
    except (KeyError, ValueError):
        raise _Fault(404, 40403, f"Schema {asked} not found") from None


def _document(name: str) -> dict[str, object]:
    return {
        "subject": subject(name),
        "version": compatibility.version(name),
        "id": registry.by_name(name).schema_id,
        "schema": text(name),
    }


async def _schema(request: Request) -> compatibility.Definition:
    """The schema in a request's body."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > _BODY_BYTES:
            raise _Fault(413, 413, f"a body may hold {_BODY_BYTES} bytes")
        pieces.append(piece)
    try:
        body = json.loads(b"".join(pieces))
        if body.get("schemaType") not in (None, "AVRO"):
            raise _Fault(422, 42201, f"Invalid schema type {body['schemaType']}: this registry holds AVRO")
        return compatibility.parse(json.loads(body["schema"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise _Fault(422, 42201, f"Invalid schema: {error}") from error


# -- the paths ---------------------------------------------------------------------------------------------------------


async def _list_subjects(request: Request) -> object:
    prefix = request.query_params.get("subjectPrefix", "")
    return [one for one in _subjects() if one.startswith(prefix)]


async def _list_schemas(request: Request) -> object:
    prefix = request.query_params.get("subjectPrefix", "")
    return [_document(name) for one, versions in _subjects().items() if one.startswith(prefix)
            for name in versions.values()]  # fmt: skip


async def _list_versions(request: Request) -> object:
    return list(_versions(request))


async def _get_version(request: Request) -> object:
    return _document(_name(request))


async def _get_schema(request: Request) -> object:
    return registry.by_name(_name(request)).definition


async def _referenced_by(request: Request) -> object:
    _name(request)
    return []


async def _look_up(request: Request) -> object:
    versions = _versions(request)
    asked = compatibility.normal(await _schema(request))
    for name in versions.values():
        if compatibility.normal(registry.by_name(name).definition) == asked:
            return _document(name)
    raise _Fault(404, 40403, "Schema not found")


async def _get_id(request: Request) -> object:
    return {"schema": text(_by_id(request))}


async def _get_id_schema(request: Request) -> object:
    return registry.by_name(_by_id(request)).definition


async def _get_id_versions(request: Request) -> object:
    name = _by_id(request)
    return [{"subject": subject(name), "version": compatibility.version(name)}]


async def _get_id_subjects(request: Request) -> object:
    return [subject(_by_id(request))]


async def _types(_: Request) -> object:
    return ["AVRO"]


async def _config(request: Request) -> object:
    if "subject" in request.path_params:
        _versions(request)
    return {"compatibilityLevel": LEVEL}


async def _mode(request: Request) -> object:
    if "subject" in request.path_params:
        _versions(request)
    return {"mode": "READONLY"}


async def _compatible(request: Request) -> object:
    """Whether a schema could be the next version: against one version, or against all of them."""
    names = [_name(request)] if "version" in request.path_params else list(_versions(request).values())
    older = {name: registry.by_name(name).definition for name in names}
    faults = compatibility.unread("it", await _schema(request), older)
    verbose = request.query_params.get("verbose", "").lower() == "true"
    return {"is_compatible": not faults} | ({"messages": faults} if verbose else {})


def routes() -> Iterator[Route]:
    """All paths."""
    versions = "/subjects/{subject}/versions"
    yield _resource("/subjects", _list_subjects)
    yield _resource("/subjects/{subject}", post=_look_up)
    yield _resource(versions, _list_versions)
    yield _resource(f"{versions}/{{version}}", _get_version)
    yield _resource(f"{versions}/{{version}}/schema", _get_schema)
    yield _resource(f"{versions}/{{version}}/referencedby", _referenced_by)
    yield _resource("/schemas", _list_schemas)
    yield _resource("/schemas/types", _types)
    yield _resource("/schemas/ids/{id}", _get_id)
    yield _resource("/schemas/ids/{id}/schema", _get_id_schema)
    yield _resource("/schemas/ids/{id}/versions", _get_id_versions)
    yield _resource("/schemas/ids/{id}/subjects", _get_id_subjects)
    yield _resource("/compatibility/subjects/{subject}/versions", post=_compatible)
    yield _resource("/compatibility/subjects/{subject}/versions/{version}", post=_compatible)
    for path, handler in (("/config", _config), ("/mode", _mode)):
        yield _resource(path, handler)
        yield _resource(f"{path}/{{subject}}", handler)
