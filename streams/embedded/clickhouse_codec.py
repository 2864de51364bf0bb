"""Packs answers and unpacks bodies the ways ClickHouse clients ask for.

Takes the names in ``Content-Encoding`` and ``Accept-Encoding`` and the flags ``compress`` and ``decompress``, gives
bytes. Used by ``streams.embedded.clickhouse_request`` and ``…clickhouse_answers``; both call it in worker threads.
"""

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]  # lz4 ships no types
import zstandard

from streams.embedded import clickhouse_frames as frames
from streams.embedded.clickhouse_errors import CANNOT_DECOMPRESS, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, refusal

_PIECE_BYTES = 1 << 20
# A few bytes of zstd can stand for 128 KiB: feed little at a time, and look at what came out.
_ZSTD_FEED_BYTES = 4_096
# In the order in which we like them; speed counts for more than size on loopback.
_ANSWERS = ("lz4", "zstd", "gzip")


class Encoder(Protocol):
    """Packs one answer piece by piece."""

    def write(self, data: bytes) -> bytes:
        """What may be sent of this piece and of those before."""

    def finish(self) -> bytes:
        """The rest; nothing may be written afterwards."""


class _Plain:
    def write(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Lz4:
    # One frame a body. Clients read several in a body too, but not all of them.
    def __init__(self) -> None:
        self._compressor = lz4.frame.LZ4FrameCompressor(auto_flush=True)
        self._begun = False

    def write(self, data: bytes) -> bytes:
        return self._begin() + bytes(self._compressor.compress(data))

    def finish(self) -> bytes:
        return self._begin() + bytes(self._compressor.flush())

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return bytes(self._compressor.begin())


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)

    def write(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def finish(self) -> bytes:
        return self._compressor.flush()


class _Zstd:
    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=1).compressobj()

    def write(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def finish(self) -> bytes:
        return self._compressor.flush()


class _Frames:
    def __init__(self, outer: Encoder) -> None:
        self._outer = outer

    def write(self, data: bytes) -> bytes:
        return self._outer.write(b"".join(frames.pack(data)))

    def finish(self) -> bytes:
        return self._outer.finish()


def chosen(accepted: str) -> str | None:
    """Which encoding to answer in: the fastest that the client takes, ``None`` for none.

    Args:
        accepted: value of ``Accept-Encoding``.
    """
    offers = (part.lower().replace(" ", "").partition(";") for part in accepted.split(","))
    names = {name for name, _, quality in offers if quality != "q=0"}
    return next((name for name in _ANSWERS if name in names), None)


def encoder(encoding: str | None, *, native_frames: bool = False) -> Encoder:
    """An encoder for one answer.

    Args:
        encoding: what ``chosen`` gave.
        native_frames: ``compress=1``: the content in ClickHouse's own frames.
    """
    kinds: dict[str | None, type[Encoder]] = {"lz4": _Lz4, "zstd": _Zstd, "gzip": _Gzip}
    outer = kinds.get(encoding, _Plain)()
    return _Frames(outer) if native_frames else outer


def decoded(
    chunks: Sequence[bytes], encoding: str, *, native_frames: bool, check_frames: bool, limit: int
) -> list[bytes]:
    """The content of a body.

    Args:
        chunks: the body as received.
        encoding: value of ``Content-Encoding``, empty for none.
        native_frames: ``decompress=1``: the content is in ClickHouse's own frames.
        check_frames: whether to compare their checksums.
        limit: bytes that may come out.

    Raises:
        QueryRefused: unknown encoding, damaged or cut-off content, or more than ``limit`` bytes.
    """
    plain = list(chunks)
    if encoding and encoding != "identity" and any(plain):
        plain = _bounded(_unpacked(b"".join(plain), encoding), limit)
    if native_frames:
        plain = _bounded(frames.unpack(b"".join(plain), limit=limit, check=check_frames), limit)
    return plain


def _bounded(pieces: Iterator[bytes], limit: int) -> list[bytes]:
    kept = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise refusal(TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the body unpacks to more than {limit} bytes")
        kept.append(piece)
    return kept


def _unpacked(packed: bytes, encoding: str) -> Iterator[bytes]:
    try:
        if encoding == "lz4":  # clients send several frames, one a block
            yield from _read(lz4.frame.LZ4FrameFile(io.BytesIO(packed)))
        elif encoding in ("gzip", "x-gzip"):
            yield from _read(gzip.GzipFile(fileobj=io.BytesIO(packed)))
        elif encoding == "zstd":
            yield from _zstd(packed)
        else:
            raise refusal(UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", f"Content-Encoding {encoding!r}")
    except (OSError, EOFError, RuntimeError, zlib.error, zstandard.ZstdError) as error:
        raise refusal(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"the body is not whole {encoding}: {error}") from error


def _read(file: io.BufferedIOBase) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _zstd(packed: bytes) -> Iterator[bytes]:
    rest = packed
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        fed = 0
        while fed < len(rest) and not frame.eof:
            yield frame.decompress(rest[fed : fed + _ZSTD_FEED_BYTES])
            fed += _ZSTD_FEED_BYTES
        if not frame.eof:
            raise EOFError("the last frame is cut off")
        rest = frame.unused_data + rest[fed:]
