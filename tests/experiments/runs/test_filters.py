"""Filters select what they say, and say what is allowed where they cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from experiments.runs.filters import name_matches, parse_filter
from tests.experiments.runs.made import Command, make_run, rising


@pytest.fixture
def several(runs: Command) -> Command:
    """Four runs: a good one, a failed one, a pruned one and one of long ago without metrics."""
    wide = {"channel_multiplication": 8, "crop_size": "tight", "symmetric": True}
    make_run(runs.root, config=wide, metrics=rising(10, 0.8))
    failed = {"name": "quick no_sym", "channel_multiplication": 1, "crop_size": [32, 32, 32]}
    make_run(runs.root, config=failed, metrics=rising(10, 0.4), status="FAILED")
    soon = datetime.now(UTC) - timedelta(hours=1)
    pruned = {"name": "sym pretrain", "symmetric": False, "crop_size": None}
    make_run(runs.root, config=pruned, metrics=rising(3, 0.6), status="PRUNED", start=soon)
    make_run(runs.root, config={"name": "baseline"}, start=datetime(2020, 1, 1, tzinfo=UTC))
    return runs


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("channel_multiplication>=2", [1, 3, 4]),
        ("channel_multiplication = 2", [3, 4]),
        ("channel_multiplication=8,1", [1, 2]),
        ("channel_multiplication!=2", [1, 2]),
        ("status=COMPLETED", [1, 4]),
        ("status==failed", [2]),
        ("status!=COMPLETED,FAILED", [3]),
        ("symmetric=true", [1]),
        ("symmetric=False", [3]),
        ("symmetric=None", [2, 4]),
        ("crop_size=[32,32,32]", [2]),
        ("crop_size=tight", [1]),
        ("crop_size~32", [2]),
        ("val/dice>0.5", [1, 3]),
        ("val/dice<=0.4", [2]),
        ("name~PRE", [3]),
        ("started>=2026-11-19", [1, 2, 3]),
        ("started<2020-01-02T12:00", [4]),
        ("started=2020-01-01", [4]),
        ("age<2h", [3]),
        ("duration>=10min", [1, 2]),
        ("epoch<10", [3]),
        ("progress<0.5", [3]),
        ("config:seed=0", [1, 2, 3, 4]),
        ("metric:val/dice>0.7", [1]),
    ],
)
def test_condition_selects(several: Command, condition: str, expected: list[int]) -> None:
    shown = several("list", "--where", condition, "--json")
    assert [run["id"] for run in shown.json] == expected


def test_all_conditions_must_hold(several: Command) -> None:
    conditions = ("--where", "val/dice>0.1", "--where", "status!=FAILED", "--name", "sym")
    shown = several("list", *conditions, "--sort", "val/dice", "--json")
    assert [run["id"] for run in shown.json] == [3, 1]


def test_nothing_that_matches_is_no_error(several: Command) -> None:
    shown = several("list", "--where", "val/dice>0.99")
    assert (shown.status, shown.out) == (0, "")
    assert "0 runs of 4" in shown.err
    assert several("list", "--where", "val/dice>0.99", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "foo"), "allowed: KEY=VALUE"),
        (("--where", "=3"), "allowed: KEY=VALUE"),
        (("--where", "seed="), "allowed: KEY=VALUE"),
        (("--where", "chanel_multiplication>1"), "did you mean channel_multiplication"),
        (("--where", "seed>many"), "needs a number, a time"),
        (("--where", "name>=3"), "cannot be compared"),
        (("--where", "started>3"), "cannot be compared"),
        (("--sort", "val/dise"), "did you mean val/dice"),
        (("--columns", "id,stauts"), "did you mean status"),
        (("--columns", " , "), "needs at least one key"),
        (("--last", "0"), "whole number of at least 1"),
        (("--first", "few"), "whole number of at least 1"),
        (("--no-such-option",), "--no-such-option"),
    ],
)
def test_wrong_request_is_one_line_that_says_what_is_allowed(
    several: Command, arguments: tuple[str, ...], message: str
) -> None:
    shown = several("list", *arguments)
    assert shown.status == 2
    assert message in shown.err


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a>=1", ("a", ">=", "1")),
        ("a == b c", ("a", "=", "b c")),
        ("val/loss/lcc != x=y", ("val/loss/lcc", "!=", "x=y")),
        ("name~>=", ("name", "~", ">=")),
    ],
)
def test_condition_is_read_as_typed(text: str, parts: tuple[str, str, str]) -> None:
    condition = parse_filter(text)
    assert (condition.key, condition.sign, condition.value) == parts


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("sym pretrain", "sym", True),
        ("quick no_sym", "sym", False),
        ("quick no_sym", "*sym", True),
        ("sym pretrain", "sym pretrain", True),
        ("sym pretrain", "SYM*", True),
        ("sym", "sym pretrain", False),
        ("a[b]", "a[b]", False),  # brackets are a choice of characters, as in a shell
    ],
)
def test_name_matches_whole_or_by_a_word(name: str, pattern: str, expected: bool) -> None:
    assert name_matches(name, pattern) is expected
