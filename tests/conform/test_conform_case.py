"""Law: for every server and every kind of client it is said what is right, and by when."""

import pytest

from probe.catalogue import BY_NAME, SERVERS
from probe.conform.case import Case, Kind, Right, case_of, is_loud, right_of, select, takes_s


@pytest.mark.parametrize(
    ("name", "to_login", "to_kexinit"),
    [
        ("openssh", Right.GOES_ON, Right.SUCCEEDS),
        ("hundred-lines-before", Right.GOES_ON, Right.SUCCEEDS),
        ("silent", Right.FAILS, Right.FAILS),
        ("penalty-then-resets", Right.FAILS, Right.FAILS),
        ("no-common-kex", Right.FAILS, Right.EITHER),
        ("silent-after-kexdh-init", Right.FAILS, Right.SUCCEEDS),
        ("kexinit-twice", Right.FAILS, Right.EITHER),
        ("strict-kex-broken", Right.FAILS, Right.SUCCEEDS),
        ("ext-info-before-newkeys", Right.FAILS, Right.SUCCEEDS),
        ("boolean-of-2", Right.FAILS, Right.SUCCEEDS),
    ],
)
def test_what_is_right(name: str, to_login: Right, to_kexinit: Right) -> None:
    row = BY_NAME[name]
    assert (right_of(row, Kind.LOGIN), right_of(row, Kind.KEXINIT)) == (to_login, to_kexinit)


def test_nobody_can_log_in_and_no_fault_is_a_success() -> None:
    for server in SERVERS:
        assert right_of(server, Kind.LOGIN) in (Right.FAILS, Right.GOES_ON)
        assert (right_of(server, Kind.KEXINIT) is Right.FAILS) is not server.is_lawful


@pytest.mark.parametrize("name", ["openssh", "name-twice"])
def test_a_server_without_a_fault_has_no_more_to_say_to_who_goes_on(name: str) -> None:
    assert case_of(BY_NAME[name], Kind.LOGIN, 1.0).ends_with_kexinit
    assert not case_of(BY_NAME[name], Kind.KEXINIT, 1.0).ends_with_kexinit


@pytest.mark.parametrize("name", ["silent", "silent-after-kexdh-init"])
def test_a_server_whose_fault_is_silence_is_left_to_it(name: str) -> None:
    assert not case_of(BY_NAME[name], Kind.LOGIN, 1.0).ends_with_kexinit


def test_a_lawful_server_that_takes_its_time_is_given_it() -> None:
    assert case_of(BY_NAME["slow-identification"], Kind.LOGIN, 1.0).limit_s == 10.0
    assert case_of(BY_NAME["slow-identification"], Kind.LOGIN, 30.0).limit_s == 30.0
    assert case_of(BY_NAME["openssh"], Kind.LOGIN, 1.0).limit_s == 1.0


def test_a_server_that_fails_is_given_no_more_than_was_asked_for() -> None:
    slow = BY_NAME["identification-after-twelve-seconds"]
    assert takes_s(slow) == 12.0
    assert case_of(slow, Kind.LOGIN, 1.0).limit_s == 1.0


def test_servers_that_send_as_fast_as_they_can_are_loud() -> None:
    assert is_loud(BY_NAME["ignore-flood"])
    assert not is_loud(BY_NAME["ignore-for-ever"])


def names(cases: list[Case]) -> list[str]:
    return [case.row.name for case in cases]


def test_all_cases_are_chosen_unless_patterns_are_given() -> None:
    assert names(select([], Kind.LOGIN, 5.0)) == [row.name for row in SERVERS]


def test_patterns_fit_ids_and_names_and_the_order_is_the_catalogues() -> None:
    chosen = names(select(["silent", "K00[12]", "sil*"], Kind.LOGIN, 5.0))
    assert chosen == [row.name for row in SERVERS if row.name in chosen]
    assert {"silent", "silent-after-identification"} <= set(chosen)
    assert BY_NAME["silent-after-kexinit-of-client"].id == "K002"
    assert "silent-after-kexinit-of-client" in chosen


def test_a_pattern_that_fits_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no case fits 'nothing'"):
        select(["silent", "nothing"], Kind.LOGIN, 5.0)
