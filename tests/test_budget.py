"""The table of stages, the budget, and the ledger: arithmetic on seconds."""

import copy
import math
import pickle
from operator import attrgetter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from probe.budget import STAGES, Budget, Ledger, Stage, StageTime, budget_from_rows


class Row(NamedTuple):
    """A stage, the one that encloses it, its limit, and the keyword of ``Budget`` that sets it."""

    stage: str
    inside: str | None
    limit_s: float
    keyword: str


TABLE = (
    Row("probe", None, 10, "limit_s"),
    Row("resolve", "probe", 2, "resolve_s"),
    Row("connect", "probe", 4, "connect_s"),
    Row("identification", "probe", 5, "identification_s"),
    Row("first-octet", "identification", 4, "first_octet_s"),
    Row("kexinit", "probe", 5, "kexinit_s"),
)
INNER = TABLE[1:]
stage_of = attrgetter("stage")

NONSENSE = (0, -0.0, -1, -1e-9, 5e-324, math.nan, math.inf, -math.inf, 10**400)

limits_s = st.floats(1e-6, 1e9)


# The table. --------------------------------------------------------------------------------------


# Law 3: the table is what a person reads.
@pytest.mark.compares_tables
def test_stages_are_the_table() -> None:
    rows = [(row.stage, row.inside, row.limit_s) for row in STAGES]
    assert rows == [(row.stage, row.inside, row.limit_s) for row in TABLE]


def test_every_stage_has_one_row() -> None:
    assert [row.stage for row in STAGES] == list(Stage)


def test_the_first_row_encloses_all_and_every_other_stands_below_the_one_that_encloses_it() -> None:
    assert STAGES[0].inside is None
    for index, row in enumerate(STAGES[1:], 1):
        assert row.inside in {above.stage for above in STAGES[:index]}


def test_every_row_says_when_it_begins_and_ends_and_what_its_end_means() -> None:
    assert all(row.begins and row.ends and row.ran_out for row in STAGES)


# The budget. -------------------------------------------------------------------------------------


def test_the_default_budget_has_the_limits_of_the_table() -> None:
    budget = Budget()
    assert [budget[row.stage] for row in TABLE] == [row.limit_s for row in TABLE]


def test_a_budget_of_thirty_seconds_triples_every_stage() -> None:
    budget = Budget(30)
    assert budget["first-octet"] == 12.0
    assert [budget[stage] for stage in Stage] == [30, 6, 12, 15, 12, 15]


@settings(deadline=None)
@given(limits_s)
def test_stages_scale_with_the_limit_of_the_probe(limit_s: float) -> None:
    budget = Budget(limit_s)
    assert budget["probe"] == limit_s
    for row in TABLE:
        assert budget[row.stage] == pytest.approx(row.limit_s * limit_s / 10)


# What is set by hand is not scaled, and does not scale the rest.
@settings(deadline=None)
@given(limits_s, st.dictionaries(st.sampled_from([row.stage for row in INNER]), limits_s))
def test_a_limit_set_by_hand_stays(limit_s: float, by_hand: dict[str, float]) -> None:
    budget = budget_from_rows(limit_s, by_hand)
    for row in INNER:
        scaled = pytest.approx(row.limit_s * limit_s / 10)
        assert budget[row.stage] == by_hand.get(row.stage, scaled)


@pytest.mark.parametrize("row", INNER, ids=stage_of)
def test_rows_and_keywords_say_the_same(row: Row) -> None:
    budget = budget_from_rows(10, {row.stage: 1.5})
    assert budget == Budget(**{row.keyword: 1.5})
    assert budget[row.stage] == 1.5


@pytest.mark.parametrize("nonsense", NONSENSE, ids=str)
@pytest.mark.parametrize("row", TABLE, ids=stage_of)
def test_nonsense_is_refused_by_the_name_of_its_stage(row: Row, nonsense: float) -> None:
    with pytest.raises(ValueError, match=rf"the limit of {row.stage} must be .* not {nonsense}"):
        Budget(**{row.keyword: nonsense})


def test_nonsense_in_a_row_is_refused_by_the_name_of_its_stage() -> None:
    with pytest.raises(ValueError, match="the limit of first-octet must be"):
        budget_from_rows(10, {"first-octet": 0})


# ``probe`` is the limit itself, so it is no row besides.
@pytest.mark.parametrize("stage", ["probe", "first_octet", "limit_s", "Connect", ""])
def test_an_unknown_row_is_refused_with_the_known_ones(stage: str) -> None:
    with pytest.raises(ValueError, match="unknown stage") as raised:
        budget_from_rows(10, {"connect": 1, stage: 1})
    message = str(raised.value)
    assert message.startswith(f"unknown stage {stage!r}: ")
    assert message.endswith("resolve, connect, identification, first-octet, kexinit")


def test_asking_for_an_unknown_stage_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="first_octet"):
        Budget()["first_octet"]


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    given_s = draw(st.dictionaries(st.sampled_from([row.keyword for row in TABLE]), limits_s))
    return Budget(**given_s)


@settings(deadline=None)
@given(budgets())
def test_a_budget_survives_repr_pickle_and_copy(budget: Budget) -> None:
    copies = [eval(repr(budget)), copy.copy(budget), copy.deepcopy(budget)]  # noqa: S307 - our own
    protocols = range(2, pickle.HIGHEST_PROTOCOL + 1)
    copies += [pickle.loads(pickle.dumps(budget, protocol)) for protocol in protocols]  # noqa: S301 - our own
    for other in copies:
        assert other == budget
        assert hash(other) == hash(budget)
        assert [other[stage] for stage in Stage] == [budget[stage] for stage in Stage]


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (Budget(), "Budget(limit_s=10.0)"),
        (Budget(30), "Budget(limit_s=30.0)"),
        (Budget(identification_s=2), "Budget(limit_s=10.0, identification_s=2.0)"),
        (
            Budget(3, kexinit_s=1, first_octet_s=0.5),
            "Budget(limit_s=3.0, first_octet_s=0.5, kexinit_s=1.0)",
        ),
    ],
    ids=["default", "scaled", "by-hand", "both"],
)
def test_repr_has_what_was_set_by_hand(budget: Budget, text: str) -> None:
    assert repr(budget) == text


def test_budgets_are_equal_if_the_same_was_set() -> None:
    assert Budget() == Budget(10) == Budget(limit_s=10.0)
    assert len({Budget(5, connect_s=1, kexinit_s=2), Budget(5, kexinit_s=2, connect_s=1)}) == 1
    assert Budget() != Budget(11)
    assert Budget(connect_s=1) != Budget(resolve_s=1)
    assert Budget() != "Budget(limit_s=10.0)"


def test_a_budget_takes_no_assignment() -> None:
    budget = Budget()
    with pytest.raises(AttributeError):
        setattr(budget, "connect_s", 1.0)  # noqa: B010 - mypy would refuse the plain form
    with pytest.raises(TypeError):
        budget["connect"] = 1.0  # type: ignore[index]


# The ledger. -------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A stage as the model keeps it."""

    stage: Stage
    began_s: int
    deadline_s: int


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside a naive model: a stack of running stages and a row for each that began.

    Limits and instants are small whole numbers, so that deadlines often fall together.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0
        self.limits: dict[Stage, int] = {}
        self.running: list[Entry] = []
        self.rows: dict[Stage, StageTime] = {}

    @initialize(
        limits=st.fixed_dictionaries(dict.fromkeys(Stage, st.integers(1, 4))),
    )
    def begin(self, limits: dict[Stage, int]) -> None:
        rows = {str(stage): float(limits[stage]) for stage in Stage if stage is not Stage.PROBE}
        self.limits = limits
        self.ledger = Ledger(budget_from_rows(limits[Stage.PROBE], rows))

    @rule(seconds=st.integers(1, 3))
    def pass_time(self, seconds: int) -> None:
        self.now_s += seconds
        self.ledger.elapsed_s = self.now_s

    @precondition(lambda self: len(self.rows) < len(Stage))
    @rule(data=st.data())
    def enter(self, data: st.DataObject) -> None:
        stage = data.draw(st.sampled_from([each for each in Stage if each not in self.rows]))
        self.ledger.begin(stage)
        self.running.append(Entry(stage, self.now_s, self.now_s + self.limits[stage]))
        self.rows[stage] = StageTime(stage, self.now_s, -1, self.limits[stage], completed=False)

    # One that never began, or was left before, changes nothing.
    @rule(stage=st.sampled_from(Stage))
    def leave(self, stage: Stage) -> None:
        self.ledger.leave(stage)
        while stage in [entry.stage for entry in self.running]:
            inner = self.running.pop()
            self.rows[inner.stage] = self.rows[inner.stage]._replace(
                spent_s=self.now_s - inner.began_s,
                completed=True,
            )

    @invariant()
    def where_is_the_innermost_that_runs(self) -> None:
        expected = self.running[-1].stage if self.running else None
        assert self.ledger.where() is expected

    @invariant()
    def whose_is_the_earliest_deadline_and_of_equal_ones_the_outermost(self) -> None:
        earliest = min((entry.deadline_s for entry in self.running), default=None)
        expiring = [entry.stage for entry in self.running if entry.deadline_s == earliest]
        assert self.ledger.whose() is (expiring[0] if expiring else None)
        assert earliest is None or self.ledger.due_s() == earliest

    @invariant()
    def times_are_the_rows_in_order(self) -> None:
        running = {entry.stage: self.now_s - entry.began_s for entry in self.running}
        expected = [
            row if row.completed else row._replace(spent_s=running[row.stage])
            for row in self.rows.values()
        ]
        assert list(self.ledger.times()) == expected


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(deadline=None)


def test_a_ledger_without_stages_is_empty() -> None:
    ledger = Ledger(Budget())
    ledger.leave(Stage.PROBE)
    assert (ledger.where(), ledger.whose(), ledger.times()) == (None, None, ())


# The outermost, since its row is the promise to the caller.
def test_deadlines_that_fall_together_are_the_outermost_one_s() -> None:
    ledger = Ledger(Budget(10, identification_s=4, first_octet_s=4))
    ledger.begin(Stage.PROBE)
    ledger.elapsed_s = 6.0
    ledger.begin(Stage.IDENTIFICATION)
    ledger.begin(Stage.FIRST_OCTET)
    assert [row.began_s + row.limit_s for row in ledger.times()] == [10.0, 10.0, 10.0]
    assert ledger.due_s() == 10.0
    assert (ledger.where(), ledger.whose()) == (Stage.FIRST_OCTET, Stage.PROBE)


# A prober that catches up at its last instant leaves a stage again that it left long ago.
def test_leaving_a_stage_again_does_not_end_the_one_that_came_after() -> None:
    ledger = Ledger(Budget(3, kexinit_s=5))
    ledger.begin(Stage.PROBE)
    ledger.begin(Stage.IDENTIFICATION)
    ledger.elapsed_s = 1.0
    ledger.leave(Stage.IDENTIFICATION)
    ledger.begin(Stage.KEXINIT)
    ledger.elapsed_s = 3.0
    ledger.leave(Stage.IDENTIFICATION)
    assert (ledger.where(), ledger.whose()) == (Stage.KEXINIT, Stage.PROBE)
    assert ledger.times() == (
        (Stage.PROBE, 0, 3, 3, False),
        (Stage.IDENTIFICATION, 0, 1, 5 * 0.3, True),
        (Stage.KEXINIT, 1, 2, 5, False),
    )
