"""Connects to the database that a URL names, and never says its password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.errors import PlainError
from experiments.redaction import redact, secrets_of

DATABASE = "sacred"
"""The database that is used where the URL names none."""

# A call may be slow without harm: nobody waits for it but the mirror's own thread.
_PATIENCE_MS = {
    "serverSelectionTimeoutMS": 12_000,
    "connectTimeoutMS": 12_000,
    "socketTimeoutMS": 60_000,
}


@dataclass(frozen=True, slots=True)
class Connection:
    """A database with its indexes; nothing is sent before its first use.

    Attributes:
        client: to be closed.
        database: where Sacred's collections are.
        name: host and database, without credentials.
    """

    client: Any
    database: Any
    name: str


def connect(url: str, *, patience: float | None = None) -> Connection:
    """A connection to the database of ``url``.

    Args:
        url: MongoDB's URL; options in it go before ours.
        patience: seconds to look for a server; None for those of a mirror that nobody waits for.

    Raises:
        PlainError: it is no URL of a MongoDB.
    """
    import pymongo

    ours = dict(_PATIENCE_MS)
    if patience is not None:
        ours["serverSelectionTimeoutMS"] = int(patience * 1000)
    options: Any = {key: value for key, value in ours.items() if key.lower() not in url.lower()}
    try:
        client: Any = pymongo.MongoClient(url, appname="hipreg", **options)
        database = client.get_default_database(DATABASE)
    except Exception as error:  # a resolver's errors as well as pymongo's
        raise PlainError(
            f"{redact(url, secrets_of(url))} is no usable MongoDB URL: {said(error, url)}; "
            "expected mongodb://user:password@host:port/database"
        ) from None
    return Connection(client, database, f"{_hosts(url)}/{database.name}")


def said(error: Exception, url: str) -> str:
    """What ``error`` says, shortened and without the credentials of ``url``."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return redact(text, secrets_of(url))[:300]


def make_indexes(database: Any) -> None:
    """The indexes that keep readers and the mirror quick; made once, kept where they are.

    A metric is found by its run, a run by its uuid, which no two documents share, and a file's
    content by file and position, as GridFS demands.
    """
    database["metrics"].create_index([("run_id", 1), ("name", 1)])
    database["runs"].create_index("meta.run_uuid", unique=True, sparse=True)
    database["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)


def _hosts(url: str) -> str:
    return url.partition("://")[2].rpartition("@")[2].partition("?")[0].partition("/")[0]
