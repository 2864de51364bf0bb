"""What a form of ours sends: its fields by name, never more of them in memory than a form may hold.

Takes requests with an ``application/x-www-form-urlencoded`` body. Used by ``console.access`` and by pages that write.
"""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

FORM_BYTES = 64 * 1024
_MEDIA_TYPE = "application/x-www-form-urlencoded"


def is_form(request: Request) -> bool:
    """Whether the body is announced as a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _MEDIA_TYPE


async def body(request: Request) -> bytes:
    """The body; raises ``HTTPException`` 413 for one that is larger than a form may be."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > FORM_BYTES:
            raise HTTPException(413, f"a form may hold {FORM_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def parsed(content: bytes) -> dict[str, str]:
    """Fields of a form's body; of a name that comes twice the first."""
    try:
        pairs = parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise HTTPException(400, "a form may have 100 fields") from None
    return dict(reversed(pairs))


async def fields(request: Request) -> dict[str, str]:
    """Fields of the form that a request carries; none if it carries something else."""
    return parsed(await body(request)) if is_form(request) else {}
