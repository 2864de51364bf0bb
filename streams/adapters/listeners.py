"""Where console and gateway listen, and what they demand before others than this machine may reach them.

On loopback nothing is demanded. Bound to another address, or behind a proxy, a program starts only with a secret of its
own and with TLS, spoken by itself or by the proxy. Takes settings; gives faults, options for uvicorn, and how our own
clients find back. Used by both programs, ``musee up``, ``musee doctor`` and everything that calls our gateway.
"""

import ssl
from typing import Any, Literal

from streams.config import SECRET_LENGTH, Settings
from streams.errors import ConfigError

Program = Literal["console", "gateway"]
PROGRAMS: tuple[Program, ...] = ("console", "gateway")

_WAYS = (
    "MUSEE_TLS_CERT (a PEM file with certificate and key), or MUSEE_TRUSTED_PROXY (the proxy that speaks TLS for it)"
)
_SECRET = {
    "console": "MUSEE_OPERATOR_TOKEN (who may act) or MUSEE_VIEWER_TOKEN (who may only look)",
    "gateway": "MUSEE_DEV_KEY (the API key; one made by itself is for loopback only)",
}


def faults(settings: Settings, program: Program) -> list[str]:
    """What keeps a program from listening, one sentence each; none if it may."""
    found = []
    missing = []
    if settings.exposed:
        if not _has_secret(settings, program):
            missing.append(_SECRET[program])
        if not settings.tls_cert and not settings.trusted_proxy:
            missing.append(_WAYS)
    if missing:
        where = f"MUSEE_BIND={settings.bind}" if not settings.bind.is_loopback else "MUSEE_TRUSTED_PROXY is set"
        found.append(f"{where}: others would reach the {program}; set {' and '.join(missing)}")
    if program == "gateway" and settings.exposed and settings.dev_key and len(settings.dev_key) < SECRET_LENGTH:
        found.append(f"MUSEE_DEV_KEY has fewer than {SECRET_LENGTH} characters, and others reach the gateway")
    if program == "console" and settings.viewer_token and settings.viewer_token == settings.operator_token:
        found.append("MUSEE_VIEWER_TOKEN and MUSEE_OPERATOR_TOKEN are the same: who only looks could act")
    return found + _tls_faults(settings)


def ensure_allowed(settings: Settings, program: Program) -> None:
    """Refuse to start where others would get in.

    Raises:
        ConfigError: one line per fault, with the settings that mend it.
    """
    found = faults(settings, program)
    if found:
        raise ConfigError("\n".join(found))


def _has_secret(settings: Settings, program: Program) -> bool:
    return bool(settings.dev_key if program == "gateway" else settings.operator_token or settings.viewer_token)


def _tls_faults(settings: Settings) -> list[str]:
    if settings.tls_cert is None:
        return ["MUSEE_TLS_KEY is set, and no MUSEE_TLS_CERT"] if settings.tls_key else []
    key = settings.tls_key or settings.tls_cert
    for variable, path in (("MUSEE_TLS_CERT", settings.tls_cert), ("MUSEE_TLS_KEY", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            return [f"{variable}={path}: {error.strerror}"]
    try:
        # An encrypted key would ask for its password on a terminal that is not there.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        return [f"MUSEE_TLS_CERT={settings.tls_cert}: no certificate in PEM with its own, unencrypted key ({reason})"]
    return []


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is to be told about the listener; headers of proxies are read by ``adapters.transport`` alone."""
    return {
        "host": str(settings.bind),
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
        "proxy_headers": False,
    }


def trust(settings: Settings) -> ssl.SSLContext | bool:
    """What a client on this machine is to believe: the very certificate of the settings, whatever name it is for."""
    if settings.tls_cert is None:
        return True
    try:
        context = ssl.create_default_context(cafile=str(settings.tls_cert))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"MUSEE_TLS_CERT={settings.tls_cert}: {error}") from None
    context.check_hostname = False  # it is asked at 127.0.0.1, and named after what others call it
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def way(settings: Settings) -> dict[str, str]:
    """Headers of a client on this machine, which needs no TLS to be safe: it vouches as a proxy beside it would."""
    return {"X-Forwarded-Proto": "https"} if settings.trusted_proxy and not settings.tls_cert else {}
