"""Files in GridFS under ids made of what they are, so that storing one twice stores it once.

pymongo's own GridFS gives a new id at every try: a connection that is lost in the middle leaves
pieces that nothing names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

CHUNK = 255 * 1024
"""Bytes of a piece: GridFS's own size."""

_PIECES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is to be in GridFS.

    Attributes:
        key: its id, :func:`id_of` all that decides its content.
        name: its filename.
        kind: its content type.
        content: the whole file.
        about: its metadata.
    """

    key: ObjectId
    name: str
    kind: str
    content: bytes
    about: Mapping[str, Any] = field(default_factory=dict)


def id_of(*parts: str) -> ObjectId:
    """An id that is the same whenever ``parts`` are."""
    return ObjectId(hashlib.sha256("\0".join(parts).encode()).digest()[:12])


def sha256(content: bytes) -> str:
    """The SHA-256 of ``content`` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    """The MD5 of ``content``, by which Sacred knows files."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def store(database: Any, files: Iterable[File]) -> None:
    """Bring ``files`` into GridFS, those that are not there.

    Pieces first, their entries last: a file that is listed is whole. May be repeated at any
    point, and by several processes at once.
    """
    from pymongo import ReplaceOne

    wanted = {file.key: file for file in files}
    known = database["fs.files"].find({"_id": {"$in": list(wanted)}}, {"_id": 1}) if wanted else ()
    for found in known:
        del wanted[found["_id"]]
    if not wanted:
        return
    pieces = [piece for file in wanted.values() for piece in _pieces(file)]
    for start in range(0, len(pieces), _PIECES_AT_ONCE):
        part = pieces[start : start + _PIECES_AT_ONCE]
        requests = [ReplaceOne({"_id": piece["_id"]}, piece, upsert=True) for piece in part]
        database["fs.chunks"].bulk_write(requests, ordered=False)
    entries = [
        ReplaceOne({"_id": file.key}, _entry(file), upsert=True) for file in wanted.values()
    ]
    database["fs.files"].bulk_write(entries, ordered=False)


def remove(database: Any, keys: Iterable[ObjectId]) -> None:
    """Remove files, first from the list and then their pieces."""
    gone = list(keys)
    if gone:
        database["fs.files"].delete_many({"_id": {"$in": gone}})
        database["fs.chunks"].delete_many({"files_id": {"$in": gone}})


def _pieces(file: File) -> Iterator[dict[str, Any]]:
    for n, start in enumerate(range(0, len(file.content), CHUNK)):
        data = file.content[start : start + CHUNK]
        yield {"_id": id_of(str(file.key), str(n)), "files_id": file.key, "n": n, "data": data}


def _entry(file: File) -> dict[str, Any]:
    return {
        "_id": file.key,
        "filename": file.name,
        "contentType": file.kind,
        "length": len(file.content),
        "chunkSize": CHUNK,
        "uploadDate": datetime.now(UTC),
        # GridFS has no checksum of its own any more; Sacred's observers look for this one.
        "md5": md5(file.content),
        "metadata": {**file.about, "sha256": sha256(file.content)},
    }
