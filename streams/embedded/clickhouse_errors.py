"""What the embedded engine says when it refuses: its code, its text, and the HTTP status that clients expect with it.

Takes exceptions of the binding, gives ``QueryRefused``. Used by the engine and by the HTTP endpoint.
"""

import re

from streams.errors import StreamsError

_CODE = re.compile(r"Code: (\d+)\. DB::\w*Exception: ")
_ENGINE = re.compile(r"^.*?(?=Code: \d+\. DB::)", re.DOTALL)

BAD_ARGUMENTS = 36
CHECKSUM_DOESNT_MATCH = 40
NOT_IMPLEMENTED = 48
SYNTAX_ERROR = 62
UNKNOWN_COMPRESSION_METHOD = 89
TIMEOUT_EXCEEDED = 159
READONLY = 164
TOO_MANY_QUERIES = 202
SOCKET_TIMEOUT = 209
TOO_LARGE = 229
CANNOT_DECOMPRESS = 271
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
ACCESS_DENIED = 497
UNKNOWN_ROLE = 511
UNSUPPORTED_MEDIA_TYPE = 779
WITHOUT_CODE = 1002  # UNKNOWN_EXCEPTION: the engine gave none

# The table of the server's own exceptionCodeToHTTPStatus; everything else is 500.
_STATUS_CODES: dict[int, tuple[int, ...]] = {
    400: (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676),
    401: (194,),
    403: (192, 193, ACCESS_DENIED, 512, 516),
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, UNKNOWN_ROLE),
    408: (TIMEOUT_EXCEEDED,),
    411: (381,),
    413: (TOO_LARGE,),
    415: (UNSUPPORTED_MEDIA_TYPE,),
    501: (NOT_IMPLEMENTED,),
    503: (76, SOCKET_TIMEOUT, 439),
}
_STATUS = {code: status for status, codes in _STATUS_CODES.items() for code in codes}


class QueryRefused(StreamsError):  # noqa: N818 - the engine's answer
    """The engine, or the endpoint in its place, refuses a statement.

    Args:
        code: ClickHouse's error number.
        text: the message, starting with ``Code: N. DB::Exception:``.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """HTTP status, as the server would answer."""
        return _STATUS.get(self.code, 500)


def refusal(code: int, name: str, detail: str) -> QueryRefused:
    """A refusal of our own in the server's words, e.g. ``refusal(373, "SESSION_IS_LOCKED", "…")``."""
    return QueryRefused(code, f"Code: {code}. DB::Exception: {detail}. ({name})")


def translated(error: BaseException) -> QueryRefused:
    """The refusal behind an exception of the binding.

    A message that quotes bytes outside UTF-8 arrives as UnicodeDecodeError with the whole text in ``object``.
    """
    text = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else str(error)
    found = _CODE.search(text)
    if found is None:
        return QueryRefused(WITHOUT_CODE, f"Code: {WITHOUT_CODE}. DB::Exception: {text}. (UNKNOWN_EXCEPTION)")
    return QueryRefused(int(found[1]), _ENGINE.sub("", text).strip())
