"""ClickHouse's own compressed frames, which ``compress=1`` and ``decompress=1`` put in the bodies of requests.

A frame is a checksum (16 bytes), a method (1), the size from the method on (4), the size unpacked (4), and the packed
bytes. The store keeps columns on disk in the same frames. Used by ``streams.embedded.clickhouse_codec``.

The checksum runs at about 4 MB/s in Python: meant for tools that insist on it; other clients ask for lz4 or zstd by
``Accept-Encoding``.

Source: CityHash 1.0.2 (Pike and Alakuijala, 2011), the version that ClickHouse froze.
"""

import struct
from collections.abc import Iterator

import lz4.block  # type: ignore[import-untyped]  # lz4 ships no types
import zstandard

from streams.embedded.clickhouse_errors import (
    CANNOT_DECOMPRESS,
    CHECKSUM_DOESNT_MATCH,
    UNKNOWN_COMPRESSION_METHOD,
    refusal,
)

FRAME_BYTES = 1 << 20
_CHECKSUM_BYTES = 16
_HEADER = struct.Struct("<BII")
_STORED, _LZ4, _ZSTD = 0x02, 0x82, 0x90

_M64 = (1 << 64) - 1
_K0, _K1, _K2, _K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69


def pack(data: bytes) -> Iterator[bytes]:
    """Frames of a text, a MiB each; none for an empty one."""
    for start in range(0, len(data), FRAME_BYTES):
        piece = data[start : start + FRAME_BYTES]
        packed = lz4.block.compress(piece, store_size=False)
        frame = _HEADER.pack(_LZ4, _HEADER.size + len(packed), len(piece)) + packed
        yield city_hash_128(frame) + frame


def unpack(data: bytes, *, limit: int, check: bool = True) -> Iterator[bytes]:
    """Contents of the frames that a body consists of.

    Args:
        data: the body.
        limit: bytes that may come out of one frame.
        check: whether to compare the checksums.

    Raises:
        QueryRefused: the frames are damaged, cut off, or packed by a method other than lz4, zstd and none.
    """
    rest = memoryview(data)
    while rest:
        if len(rest) < _CHECKSUM_BYTES + _HEADER.size:
            raise refusal(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", "the body ends inside the head of a frame")
        checksum, rest = bytes(rest[:_CHECKSUM_BYTES]), rest[_CHECKSUM_BYTES:]
        method, packed_size, size = _HEADER.unpack_from(rest)
        if not _HEADER.size <= packed_size <= len(rest) or size > limit:
            raise refusal(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"a frame claims {packed_size} bytes for {size}")
        frame, rest = bytes(rest[:packed_size]), rest[packed_size:]
        if check and city_hash_128(frame) != checksum:
            raise refusal(CHECKSUM_DOESNT_MATCH, "CHECKSUM_DOESNT_MATCH", "the checksum of a frame does not match")
        yield _unpacked(method, frame[_HEADER.size :], size)


def _unpacked(method: int, packed: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            return lz4.block.decompress(packed, uncompressed_size=size) if size else b""
        if method == _ZSTD:
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise refusal(CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"a frame cannot be unpacked: {error}") from error
    if method == _STORED:
        return packed
    raise refusal(UNKNOWN_COMPRESSION_METHOD, "UNKNOWN_COMPRESSION_METHOD", f"method {method:#04x} of a frame")


def city_hash_128(text: bytes) -> bytes:
    """CityHash128 1.0.2: low half, then high half, both little-endian."""
    size = len(text)
    if size >= 16:
        seed = _u64(text, 0) ^ _K3, _u64(text, 8)
        low, high = _with_seed(text[16:], *seed)
    elif size >= 8:
        seed = _u64(text, 0) ^ (size * _K0 & _M64), _u64(text, size - 8) ^ _K1
        low, high = _with_seed(b"", *seed)
    else:
        low, high = _with_seed(text, _K0, _K1)
    return struct.pack("<QQ", low, high)


def _u64(text: bytes, at: int) -> int:
    return int.from_bytes(text[at : at + 8], "little")


def _rotate(value: int, shift: int) -> int:
    return ((value >> shift) | (value << (64 - shift))) & _M64 if shift else value


def _mix(value: int) -> int:
    return value ^ (value >> 47)


def _hash_16(low: int, high: int) -> int:
    first = _mix((low ^ high) * _MUL & _M64)
    return _mix((high ^ first) * _MUL & _M64) * _MUL & _M64


def _hash_up_to_16(text: bytes) -> int:
    size = len(text)
    if size > 8:
        first, last = _u64(text, 0), _u64(text, size - 8)
        return _hash_16(first, _rotate((last + size) & _M64, size)) ^ last
    if size >= 4:
        first = int.from_bytes(text[:4], "little")
        return _hash_16((size + (first << 3)) & _M64, int.from_bytes(text[size - 4 :], "little"))
    if size:
        y = text[0] + (text[size >> 1] << 8)
        z = size + (text[-1] << 2)
        return _mix((y * _K2 ^ z * _K3) & _M64) * _K2 & _M64
    return _K2


def _weak_32(text: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = struct.unpack_from("<QQQQ", text, at)
    a = (a + w) & _M64
    b = _rotate((b + a + z) & _M64, 21)
    start = a
    a = (a + x + y) & _M64
    b = (b + _rotate(a, 44)) & _M64
    return (a + z) & _M64, (b + start) & _M64


def _murmur(text: bytes, low: int, high: int) -> tuple[int, int]:
    a, b = low, high
    size = len(text)
    if size <= 16:
        a = _mix(a * _K1 & _M64) * _K1 & _M64
        c = (b * _K1 + _hash_up_to_16(text)) & _M64
        d = _mix((a + (_u64(text, 0) if size >= 8 else c)) & _M64)
    else:
        c = _hash_16((_u64(text, size - 8) + _K1) & _M64, a)
        d = _hash_16((b + size) & _M64, (c + _u64(text, size - 16)) & _M64)
        a = (a + d) & _M64
        for at in range(0, size - 16, 16):
            a = (a ^ (_mix(_u64(text, at) * _K1 & _M64) * _K1)) * _K1 & _M64
            b ^= a
            c = (c ^ (_mix(_u64(text, at + 8) * _K1 & _M64) * _K1)) * _K1 & _M64
            d ^= c
    a = _hash_16(a, c)
    b = _hash_16(d, b)
    return a ^ b, _hash_16(b, a)


def _with_seed(text: bytes, low: int, high: int) -> tuple[int, int]:
    size = len(text)
    if size < 128:
        return _murmur(text, low, high)
    x, y, z = low, high, size * _K1 & _M64
    v0 = (_rotate((y ^ _K1), 49) * _K1 + _u64(text, 0)) & _M64
    v1 = (_rotate(v0, 42) * _K1 + _u64(text, 8)) & _M64
    w0 = (_rotate((y + z) & _M64, 35) * _K1 + x) & _M64
    w1 = _rotate((x + _u64(text, 88)) & _M64, 53) * _K1 & _M64
    at = 0
    while size - at >= 128:
        for _ in range(2):
            x = _rotate((x + y + v0 + _u64(text, at + 16)) & _M64, 37) * _K1 & _M64
            y = _rotate((y + v1 + _u64(text, at + 48)) & _M64, 42) * _K1 & _M64
            x ^= w1
            y ^= v0
            z = _rotate(z ^ w0, 33)
            v0, v1 = _weak_32(text, at, v1 * _K1 & _M64, (x + w0) & _M64)
            w0, w1 = _weak_32(text, at + 32, (z + w1) & _M64, y)
            z, x = x, z
            at += 64
    left = size - at
    y = (y + _rotate(w0, 37) * _K0 + z) & _M64
    x = (x + _rotate((v0 + z) & _M64, 49) * _K0) & _M64
    done = 0
    while done < left:
        done += 32
        y = (_rotate((y - x) & _M64, 42) * _K0 + v1) & _M64
        w0 = (w0 + _u64(text, at + left - done + 16)) & _M64
        x = (_rotate(x, 49) * _K0 + w0) & _M64
        w0 = (w0 + v0) & _M64
        v0, v1 = _weak_32(text, at + left - done, v0, v1)
    x = _hash_16(x, v0)
    y = _hash_16(y, w0)
    return (_hash_16((x + v1) & _M64, w1) + y) & _M64, _hash_16((x + w1) & _M64, (y + v1) & _M64)
