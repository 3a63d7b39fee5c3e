"""Keeps passwords out of everything that a run writes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

_HIDDEN = "***"
# The user, or user:password, of a URL: a token is often alone. A slash cannot be part of it unless
# somebody forgot to escape it. One of the two after the scheme goes where a URL is taken for a
# path. A scheme of any length would make long words take hours.
_CREDENTIALS = re.compile(
    r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.\-]{0,30}:/{1,2})"
    r"(?:[^\s\"'<>/@:]*:[^\s\"'<>/]*|[^\s\"'<>/@:]+)@"
)
_SHORTEST_SECRET = 6


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """``text`` with the user and password of every URL, and every one of ``secrets``, hidden."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    if ":/" not in text:
        return text
    return _CREDENTIALS.sub(rf"\g<scheme>{_HIDDEN}@", text)


def redacted(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """:func:`redact` on every string inside ``value``, which is made of dicts and lists."""
    if isinstance(value, dict):
        return {redact(key, secrets): redacted(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, secrets) for item in value]
    return redact(value, secrets) if isinstance(value, str) else value


def secrets_of(url: str) -> tuple[str, ...]:
    """What must be hidden wherever it turns up: the credentials of ``url`` and its password.

    A password of fewer than 6 characters is only hidden as part of its URL: to blank such a short
    word everywhere would tear up the records.

    Args:
        url: a database URL, with or without credentials.
    """
    _, _, rest = url.partition("://")
    credentials, at, _ = rest.rpartition("@")
    if not at:
        return ()
    _, _, password = credentials.partition(":")
    words = {credentials if password else "", password, unquote(password)}
    # The longest first, so that no shorter secret breaks up a longer one before it is found.
    return tuple(
        sorted((word for word in words if len(word) >= _SHORTEST_SECRET), key=len, reverse=True)
    )
