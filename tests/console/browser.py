"""A headless Chromium driven over its DevTools protocol: enough to look at the page as a visitor's browser does.

``Browser.start`` begins one process in its own session with an empty profile; ``Browser.page`` opens a tab that notes
every request, every breach of the content security policy and every error. Used by the tests marked ``system``.
"""

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
# Name → code, number and what it types.
_KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    " ": ("Space", 32, " "),
}
_START_S = 20.0
_CALL_S = 30.0
# Told by the page itself too: the console's message on a breach depends on the browser's version.
_NOTE_BREACHES = """
    globalThis.breaches = [];
    addEventListener("securitypolicyviolation", (event) =>
        breaches.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""


def executable() -> str | None:
    """Path of an installed Chromium, ``None`` if there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Browser:
    """One Chromium; use as an async context manager."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        profile: Path,
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse,
    ) -> None:
        self._process = process
        self._profile = profile
        self._session = session
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> Self:
        """Start Chromium and connect to it.

        Raises:
            FileNotFoundError: no Chromium is installed.
            TimeoutError: it did not say its address in time.
        """
        binary = executable()
        if binary is None:
            raise FileNotFoundError(f"none of {', '.join(_NAMES)} is installed")
        profile = Path(tempfile.mkdtemp(prefix="musee-chromium-"))
        process = await asyncio.create_subprocess_exec(
            binary,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # so that its helpers can be ended with it
        )
        try:
            async with asyncio.timeout(_START_S):
                port, path = await _address(profile / "DevToolsActivePort")
            session = aiohttp.ClientSession()
            socket = await session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0)
        except BaseException:
            _kill(process)
            raise
        return cls(process, profile, session, socket)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.close()
        await self._session.close()
        _kill(self._process)
        await self._process.wait()
        await asyncio.to_thread(shutil.rmtree, self._profile, ignore_errors=True)

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                answer = self._answers.pop(told["id"], None)
                if answer is not None and not answer.done():
                    answer.set_result(told)
            elif listener := self._listeners.get(told.get("sessionId", "")):
                listener(told["method"], told["params"])

    async def call(self, method: str, *, session: str | None = None, **params: object) -> dict[str, Any]:
        """One command of the protocol; an error answer raises ``RuntimeError``."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command: dict[str, object] = {"id": number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        await self._socket.send_json(command)
        async with asyncio.timeout(_CALL_S):
            told = await answer
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']['message']}")
        result: dict[str, Any] = told["result"]
        return result

    @contextlib.asynccontextmanager
    async def page(
        self, *, width: int = 1280, height: int = 800, script: bool = True, dark: bool = False
    ) -> AsyncIterator["Page"]:
        """A new tab of that size in its own profile, closed at the end."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = (await self.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = Page(self, session)
        self._listeners[session] = page.hear
        for domain in ("Page", "Network", "Log", "Runtime"):
            await page.call(f"{domain}.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=_NOTE_BREACHES)
        await page.call("Emulation.setScriptExecutionDisabled", value=not script)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.call("Emulation.setEmulatedMedia", features=[scheme])
        await page.resize(width, height)
        try:
            yield page
        finally:
            del self._listeners[session]
            await self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """One tab.

    Attributes:
        requests: address of everything it asked for, refused requests too.
        errors: console errors, uncaught exceptions and what the browser logged as an error.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._loaded = asyncio.Event()
        self.requests: list[str] = []
        self.errors: list[str] = []

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take note of an event of the protocol."""
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(argument.get("value")) for argument in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """One command to this tab."""
        return await self._browser.call(method, session=self._session, **params)

    async def resize(self, width: int, height: int) -> None:
        """Another viewport, in CSS pixels; below 500 px wide it is a phone's."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    async def open(self, url: str) -> None:
        """Go to ``url`` and wait until it is loaded; a live feed that goes on does not count as loading."""
        self._loaded.clear()
        told = await self.call("Page.navigate", url=url)
        if told.get("errorText"):
            raise RuntimeError(f"{url}: {told['errorText']}")
        async with asyncio.timeout(_CALL_S):
            await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression, awaited if it is a promise; works with the page's own scripts off."""
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return told["result"].get("value")

    async def until(self, expression: str, *, within_s: float, every_s: float = 0.05) -> float:
        """Wait until an expression is true; returns the seconds it took, raises ``TimeoutError``."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not await self.evaluate(expression):
            if loop.time() - began > within_s:
                raise TimeoutError(f"not true within {within_s} s: {expression}")
            await asyncio.sleep(every_s)
        return loop.time() - began

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, as a hand does: named ones (``Tab``, ``Enter``, ``Escape``) or letters.

        ``Shift+Tab`` holds the first while the second is pressed. A letter is also typed, where something has the focus
        that takes it.
        """
        for pressed in keys:
            *held, key = pressed.split("+") if len(pressed) > 1 else [pressed]
            code, number, text = _KEYS.get(key, ("", ord(key.upper()[0]), key))
            told = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if held else 0}
            kind = "keyDown" if text else "rawKeyDown"
            await self.call("Input.dispatchKeyEvent", type=kind, **told, **({"text": text} if text else {}))
            await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def screenshot(self, path: Path | None = None, *, whole: bool = False) -> bytes:
        """PNG of the viewport, or of the ``whole`` page; also written to ``path``."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        content = base64.b64decode(shot["data"])
        if path is not None:
            await asyncio.to_thread(path.write_bytes, content)
        return content

    async def breaches(self) -> list[str]:
        """Breaches of the content security policy since the page was opened."""
        found: list[str] = await self.evaluate("globalThis.breaches")
        return found

    def foreign(self, base_url: str) -> list[str]:
        """Requests that went, or wanted to go, anywhere but to ``base_url``'s origin."""
        origin = urlsplit(base_url)[:2]
        return [url for url in self.requests if not url.startswith("data:") and urlsplit(url)[:2] != origin]


async def _address(file: Path) -> tuple[int, str]:
    """Port and path of the DevTools socket, once Chromium has written them."""
    while True:
        with contextlib.suppress(FileNotFoundError, ValueError):
            port, path = (await asyncio.to_thread(file.read_text)).split()
            return int(port), path
        await asyncio.sleep(0.05)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End Chromium and its helpers: the session that we started, nothing else."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
