"""Draining a node from its page: it is asked first, noted, and undone the same way."""

from tests.web.admin.conftest import Operator, text_of
from webcb import clock
from webcb.models import Audit, Node


def test_a_node_is_drained_and_takes_callbacks_again(admin: Operator, reader: Operator) -> None:
    node = Node.get()
    address = f"/admin/nodes/{node.id}/drain"
    assert "Drain …" in admin.get("/admin/nodes")
    assert "Drain …" not in reader.get("/admin/nodes")
    reader.get(address, 403)
    assert "No other node is up" in text_of(admin.get(address))
    Node.create(name="second", heard_at=clock.utc_now())
    assert "second takes what is requested" in text_of(admin.get(address))
    assert not Node.get_by_id(node.id).draining
    admin.post(address)
    assert Node.get_by_id(node.id).draining
    assert "Undrain …" in admin.get("/admin/nodes")
    admin.post(address)
    assert not Node.get_by_id(node.id).draining
    assert {row.action for row in Audit.select()} == {"node drained", "node takes callbacks again"}
