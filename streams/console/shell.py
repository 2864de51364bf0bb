"""What all pages share: the language, the masthead with its ways and its line to the pipeline, the banner, the head.

``Shell.page`` renders a template that extends ``base.html``. A page module in ``console.pages`` gives the routes of one
page, from the ``Parts`` that ``console.server`` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse

from streams.config import Settings
from streams.console import i18n
from streams.console.alert_words import AlertWords
from streams.console.answers import FRESH
from streams.console.assets import Assets
from streams.console.documents import Now, Site, read_now
from streams.console.feed import Feed
from streams.console.likeday import LikeDays
from streams.console.likewords import Phrases
from streams.console.pipeline import Pipeline
from streams.console.words import Words

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
_REMEMBERED_S = 365 * 86_400


@dataclass(frozen=True)
class Banner:
    """What says at the head of a page that its figures are not of today's visitors.

    Attributes:
        simulated, shown: how many of the sites on the page are made up, and how many there are.
        hero: the site that the page is about, if it is about one.
    """

    simulated: int
    shown: int
    hero: Site | None = None

    @property
    def replayed(self) -> bool:
        """Whether it is the page of a recording."""
        return self.hero is not None and self.hero.replay


def load_assets() -> Assets:
    """The pages' own files, and the catalogues for their script."""
    made = {f"locales/{code}.json": language.exported() for code, language in i18n.LANGUAGES.items()}
    return Assets.load(STATIC, TEMPLATES, made=made)


def environment() -> jinja2.Environment:
    """Templates; a name that is not there is an error, not a gap on the page."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def context(
    now: Now, assets: Assets, language: i18n.Language = i18n.ENGLISH, *, hero: Site | None = None, path: str = "/"
) -> dict[str, object]:
    """What every page is rendered with.

    Args:
        now: the network, and the sites that the page shows.
        assets: addresses of the page's files.
        language: of the reader.
        hero: the site that the page is about, ``None`` if it is about several.
        path: address of the page, for the way to it in other languages and for the place in the list of ways.
    """
    played = now.network.played
    banner = Banner(int(hero.simulated), 1, hero) if hero else Banner(played.simulated, now.network.sites_heard)
    words = Words(language)
    return {
        "now": now,
        "hero": hero,
        "kind": "page",
        "banner": banner,
        "wall_zone": hero.time_zone if hero and not hero.replay else None,
        "assets": assets,
        "path": path,
        "language": language,
        "languages": list(i18n.LANGUAGES.values()),
        "other_languages": [],
        "words": words,
        "phrases": Phrases(words),
        "alert_words": AlertWords(language),
        "_": language.markup,
        "ngettext": language.markup_of,
        "pipeline": None,
    }


class Shell:
    """Renders pages."""

    def __init__(self, settings: Settings, feed: Feed, assets: Assets, pipeline: Pipeline | None = None) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._feed = feed
        self._assets = assets
        self._environment = environment()

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        now: Now | None = None,
        hero: Site | None = None,
        **more: object,
    ) -> HTMLResponse:
        """A page.

        Args:
            request: whose language and address decide.
            template: name of a file in ``templates`` that extends ``base.html``.
            status: of the answer.
            now: what the page shows of the present; without it the network alone.
            hero: the site that the page is about.
            more: what else the template needs.
        """
        try:
            language, asked = i18n.of(request), request.query_params.get("lang")
        except i18n.UnknownLanguageError as unknown:
            language, asked = i18n.ENGLISH, None
            template, status, more = "lost.html", 404, {"unknown_language": str(unknown)}
        now = now or read_now(self._feed.head())
        told: Mapping[str, object] = {
            **context(now, self._assets, language, hero=hero, path=request.url.path),
            "other_languages": [
                (one, f"{request.url.path}?{_with_language(request, one.code)}")
                for one in i18n.LANGUAGES.values()
                if one.code != language.code
            ],
            "settings": self._settings,
            "access": getattr(request.state, "access", None),
            "pipeline": self._pipeline.look() if self._pipeline else None,
            **more,
        }
        response = HTMLResponse(self._environment.get_template(template).render(**told), status, headers=FRESH)
        response.headers["Content-Language"] = language.code
        response.headers["Vary"] = "Accept-Language, Cookie"
        if asked is not None:
            response.set_cookie(
                i18n.COOKIE,
                asked,
                max_age=_REMEMBERED_S,
                samesite="strict",
                httponly=True,
                secure=request.url.scheme == "https",
            )
        return response

    def lost(self, request: Request, site_id: str) -> HTMLResponse:
        """404 for a site that nobody described, with ways on."""
        return self.page(request, "lost.html", status=404, unknown_site=site_id, known=self._feed.known)


@dataclass(frozen=True)
class Parts:
    """What the routes of a page are made of."""

    settings: Settings
    feed: Feed
    assets: Assets
    shell: Shell
    like: LikeDays
    pipeline: Pipeline


def _with_language(request: Request, code: str) -> str:
    """The query of an address, in another language."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return urlencode([*pairs, ("lang", code)])
