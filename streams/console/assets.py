"""The page's own files: read once at start, served from memory under the hash of all of them.

A page and its modules come from one build: their addresses carry its hash, so that relative imports stay inside it, a
browser may keep them for ever, and a page can tell that its server has been upgraded. Used by ``console.server``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

# Spelt out, since Python's table of types differs from machine to machine.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # LICENSE
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, media type and entity tag."""

    content: bytes
    media_type: str
    etag: str


class Assets:
    """All files below a folder.

    Attributes:
        build: 12 hex digits over all names and contents; another build, another value.
    """

    def __init__(self, files: dict[str, Asset], build: str) -> None:
        self._files = files
        self.build = build

    @classmethod
    def load(cls, folder: Path, *others: Path, made: Mapping[str, bytes] | None = None) -> "Assets":
        """Read ``folder``, addressed by relative path; ``others`` (templates) only count towards ``build``.

        ``made`` are files that are not on disk: their name and content.
        """
        every = hashlib.sha256()
        files: dict[str, Asset] = {}
        for root in (folder, *others):
            for path in sorted(path for path in root.rglob("*") if path.is_file()):
                name, content = path.relative_to(root).as_posix(), path.read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                every.update(f"{name}\n{digest}\n".encode())
                if root is folder and path.suffix in _TYPES:
                    files[name] = Asset(content, _TYPES[path.suffix], f'"{digest[:16]}"')
        for name, content in sorted((made or {}).items()):
            digest = hashlib.sha256(content).hexdigest()
            every.update(f"{name}\n{digest}\n".encode())
            files[name] = Asset(content, _TYPES[Path(name).suffix], f'"{digest[:16]}"')
        return cls(files, every.hexdigest()[:12])

    def url(self, name: str) -> str:
        """Address of a file of this build.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.build}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer ``/static/{build}/{name}``; a page of an older build gets today's file and may not keep it."""
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404, "no such file")
        current = request.path_params["build"] == self.build
        headers = {"Cache-Control": _FOR_EVER if current else "no-cache", "ETag": asset.etag}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.media_type)
