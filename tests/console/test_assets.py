"""The page's files: what is vendored is what was published, nothing asks another host, and the policy has no holes."""

import hashlib
import re
from pathlib import Path

import pytest

from streams.console import server, shell
from streams.console.assets import Assets

STATIC = Path(server.__file__).parent / "static"
VENDOR = STATIC / "vendor"
OURS = sorted(path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents)
TEMPLATES = sorted(shell.TEMPLATES.glob("*.html"))
ASKING = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"}) + TEMPLATES

SVG_NAMESPACE = "http://www.w3.org/2000/svg"  # a name, never fetched
BUT_TEXT = re.compile(r"/\*.*?\*/|(?<![:\w\"'(])//[^\n]*|\{#.*?#\}", re.DOTALL)
OTHER_HOST = re.compile(r"\b(?:https?|wss?|ftp):|[\"'(]//\w|@import", re.IGNORECASE)


def asks_another_host(text: str) -> list[str]:
    """Addresses of other hosts in a file, its comments left out."""
    return OTHER_HOST.findall(BUT_TEXT.sub("", text).replace(SVG_NAMESPACE, ""))


def checksums() -> dict[str, list[str]]:
    """Path below vendor/ → sha256, package@version, licence, path in the package."""
    lines = (line for line in (VENDOR / "CHECKSUMS.txt").read_text().splitlines() if not line.startswith("#"))
    rows = (line.split("  ") for line in lines)
    return {name: [digest, *rest] for digest, name, *rest in rows}


def test_every_vendored_file_has_the_checksum_it_was_taken_with() -> None:
    there = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    del there["CHECKSUMS.txt"]

    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}

    assert found == {name: row[0] for name, row in checksums().items()}


def test_every_vendored_package_says_version_and_licence_and_brings_its_text() -> None:
    for name, (_, package, licence, _) in checksums().items():
        assert re.fullmatch(r"@?[\w./-]+@\d+\.\d+\.\d+", package)
        assert licence in {"MIT", "OFL-1.1", "CC-BY-4.0"}
        assert (VENDOR / name).with_name("LICENSE").is_file()


@pytest.mark.parametrize("path", ASKING, ids=lambda path: path.name)
def test_no_file_asks_another_host(path: Path) -> None:
    assert asks_another_host(path.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    [
        'import x from "https://cdn.example/x.js";',
        '@import "other.css";',
        "src: url(//fonts.example/f.woff2)",
        '<img src="http://x.example/">',
        "new WebSocket('wss://x.example')",
    ],
)
def test_the_search_for_other_hosts_finds_what_is_planted(planted: str) -> None:
    assert asks_another_host(f"/* see https://example.org */\n{planted}\n")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_inline_script_or_style(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:", text, re.IGNORECASE)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_the_policy_allows_our_own_files_and_nothing_else() -> None:
    assert server.CSP.split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]


def test_the_build_changes_with_any_byte_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1")
    before = Assets.load(tmp_path)

    (tmp_path / "page.js").write_text("2")
    after = Assets.load(tmp_path)

    assert before.build != after.build
    assert after.url("page.js") == f"/static/{after.build}/page.js"


def test_every_file_of_the_page_can_be_served() -> None:
    assets = shell.load_assets()

    for path in STATIC.rglob("*"):
        if path.is_file():
            assert assets.url(path.relative_to(STATIC).as_posix())


# -- contrast (WCAG 2.2, 1.4.3 and 1.4.11) -----------------------------------------------------------------------------


def palettes() -> dict[str, dict[str, str]]:
    """The colours of page.css, by scheme."""
    css = (STATIC / "page.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6,8});", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def channels(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def over(colour: str, ground: str) -> str:
    """A colour with alpha, laid on a ground."""
    alpha = int(colour[7:9], 16) / 255
    mixed = [alpha * top + (1 - alpha) * below for top, below in zip(channels(colour), channels(ground), strict=True)]
    return "#" + "".join(f"{round(255 * value):02x}" for value in mixed)


def luminance(colour: str) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_wall_also_where_it_is_hatched(scheme: str) -> None:
    colours = palettes()[scheme]
    hatched = over(colours["hatch"], colours["wall"])

    for name in ("ink", "soft", "accent", "caution"):
        assert contrast(colours[name], colours["wall"]) >= 4.5, name
    for name in ("ink", "soft"):
        assert contrast(colours[name], hatched) >= 4.5, name


def test_the_contrast_formula_gives_the_values_of_its_definition() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
