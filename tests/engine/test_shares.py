"""A connection's capacity among several nodes: never more than it in all, used to the last leg, nobody left without."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing import rows
from webcb import db, models
from webcb.billing import query
from webcb.engine import shares
from webcb.engine.shaping import Gate
from webcb.engine.shares import Share, Use, fair_legs


class Node(NamedTuple):
    legs: int
    wanted: int


def settle(capacity: int, demands: list[int], rounds: int, had: list[Node] | None = None) -> list[Node]:
    """Nodes that renew one after another; each uses what it has, as far as it wants it."""
    nodes = had or [Node(0, 0)] * len(demands)
    for _ in range(rounds):
        for number, demand in enumerate(demands):
            up = min(demand, nodes[number].legs)
            others = [node for other, node in enumerate(nodes) if other != number]
            legs = fair_legs(capacity, Use(up, demand - up), [tuple(node) for node in others], number)
            nodes[number] = Node(legs, demand)
            assert sum(node.legs for node in nodes) <= capacity
            assert legs >= up
    return nodes


DEMANDS = st.lists(st.integers(0, 30), min_size=2, max_size=5)


@given(st.integers(1, 40), DEMANDS, DEMANDS)
def test_never_more_in_all_and_never_less_than_is_used(capacity: int, before: list[int], after: list[int]) -> None:
    nodes = settle(capacity, before, 4)
    demands = (after * 5)[: len(before)]  # what was up goes on until its end; then the others have it
    settle(capacity, demands, 4, nodes)


@pytest.mark.parametrize(
    ("capacity", "demands", "used"),
    [
        (
            10,
            [10, 0, 0],
            [9, 0, 0],
        ),  # one node that is asked has nearly all: an idle one keeps a leg for its first call
        (9, [9, 9, 9], [3, 3, 3]),
        (10, [9, 9, 9], [4, 3, 3]),
        (10, [1, 20], [1, 9]),
        (1, [0, 5, 0], [0, 1, 0]),
        (5, [2, 2], [2, 2]),
    ],
)
def test_what_one_does_not_need_another_has(capacity: int, demands: list[int], used: list[int]) -> None:
    nodes = settle(capacity, demands, 6)
    assert [min(node.legs, demand) for node, demand in zip(nodes, demands, strict=True)] >= used


def test_a_gate_lets_in_what_its_share_is_and_sends_on_who_cannot_come_in_anywhere() -> None:
    gate: Gate[str] = Gate()
    gate.capacity, gate.share, gate.elsewhere = 3, 1, 1
    assert gate.join("a", 100)
    assert gate.admit(0) == ["a"]
    assert not gate.is_full  # a share may come: who waits is told
    assert gate.join("b", 100)
    assert gate.admit(1) == []
    assert gate.is_full  # a, b, and one elsewhere
    gate.share = 2
    assert gate.admit(2) == ["b"]


def test_the_pace_is_divided() -> None:
    gate: Gate[str] = Gate()
    gate.calls_per_second, gate.nodes = 2, 3
    for ticket in "ab":
        gate.join(ticket, 10_000_000)
    assert gate.admit(0) == ["a"]
    assert gate.admit(1_499_999) == []
    assert gate.admit(1_500_000) == ["b"]


def renewed(node_id: int, uses: dict[int, Use]) -> dict[int, Share]:
    """As the journal does it: the transaction is the caller's."""
    with db.writing():
        return shares.renew(node_id, uses)


@pytest.mark.usefixtures("database")
def test_on_the_rows_a_node_takes_what_no_other_has_and_the_dead_leave_theirs() -> None:
    house = rows.house()
    connection = house.connection
    models.Connection.update(capacity=10).execute()
    two = models.Node.create(name="two")
    one = house.node
    assert renewed(one.id, {}) == {connection.id: Share(10, 10)}
    assert renewed(two.id, {connection.id: Use(0, 4)}) == {connection.id: Share(10, 0, 0, 2)}
    # One sees that two wants some, and keeps what it uses.
    assert renewed(one.id, {connection.id: Use(3, 0)}) == {connection.id: Share(10, 3, 4, 2)}
    assert renewed(two.id, {connection.id: Use(0, 4)}) == {connection.id: Share(10, 6, 3, 2)}
    written = query.rows("SELECT legs, wanted FROM connection_share ORDER BY node_id")
    assert [(row["legs"], row["wanted"]) for row in written] == [(3, 3), (6, 4)]
    shares.leave(one.id)
    assert renewed(two.id, {connection.id: Use(4, 0)}) == {connection.id: Share(10, 10)}
    models.Connection.update(capacity=None).execute()
    assert renewed(two.id, {}) == {}
