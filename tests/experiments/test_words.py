"""Command lines of Sacred's kind."""

from __future__ import annotations

import pytest

from experiments.errors import PlainError
from experiments.words import split_words


def test_words_of_sacreds_kind_become_options() -> None:
    known = ("run", "split")
    wanted = ["--run", "3", "--split", "val", "--out", "a=b"]
    assert split_words(["with", "run=3", "split=val", "--out", "a=b"], known) == wanted
    with pytest.raises(PlainError, match="unknown entry 'epochs'"):
        split_words(["with", "epochs=3"], known)
