"""Refusals as RFC 9457 problem documents, with a stable code and a path for each culprit."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.responses import JSONResponse

from streams.adapters import metrics
from streams.errors import RejectedEvent

NAMED = 100  # culprits that one answer names; ``errors_total`` counts all
_TYPE = "https://data-musee.example/problems/"  # an identifier, not an address


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[tuple[int, RejectedEvent]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem document.

    Args:
        status: HTTP status.
        code: stable code of the request's fault.
        detail: one sentence for whoever reads the device's log.
        errors: (index in the batch, its fault); empty when the request as a whole is at fault.
        headers: e.g. ``Retry-After``.
    """
    for _, fault in errors:
        metrics.REFUSED.labels(fault.code).inc()
    if not errors and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        metrics.REFUSED.labels(code).inc()
    document: dict[str, object] = {
        "type": _TYPE + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        document["errors"] = [
            {"index": index, "code": fault.code, "path": fault.path, "detail": fault.detail}
            for index, fault in errors[:NAMED]
        ]
        document["errors_total"] = len(errors)
    return JSONResponse(document, status, headers=dict(headers or {}), media_type="application/problem+json")
