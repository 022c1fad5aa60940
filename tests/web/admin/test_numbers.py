"""Test number and price calculator: what matched, where it would go, why others are left out, what it would cost."""

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from webcb.models import Connection, Destination, Rate, Route, Tariff, Vendor


def carrier(name: str, price_micros: int, **more: object) -> Connection:
    tariff = Tariff.create(name=f"Tariff {name}", currency="USD", applied_to="vendor")
    rate = {"first_interval_seconds": 1, "next_interval_seconds": 1, "first_price_micros": price_micros,
            "next_price_micros": price_micros, "effective_at": scene.LONG_AGO}  # fmt: skip
    Rate.create(tariff=tariff, destination=Destination.get(prefix="1"), **rate | more)
    return Connection.create(name=name, vendor=Vendor.get(), tariff=tariff, host="192.0.2.1", port=5060)


def test_a_number_with_its_routes_in_order_and_the_others(admin: Operator) -> None:
    admin.get("/admin/")
    carrier("Dear", 30_000)
    carrier("Cheap", 5_000)
    carrier("Shut", 5_000, forbidden=True)
    carrier("Idle", 5_000)
    never = carrier("Never", 5_000)
    Route.create(tariff=never.tariff, destination=Destination.get(prefix="1"), preference=0)
    Connection.update(active=False).where(Connection.name == "Idle").execute()
    Connection.update(state="down").where(Connection.name == "Dear").execute()
    said = text_of(admin.get("/admin/test-number?number=%2B1+206+555+0123&product=Callback&leg=B"))
    assert "60 s at 0.10 a minute" in said
    assert "1 US USA: the longest prefix" in said
    assert "1 Cheap 0.005 0.095 2 Carrier 1 0.01 0.09 3 Dear 0.03 0.07 passed over: does not answer its probes" in said
    assert "Never its preference for 1 is 0, never" in said
    assert "Shut its rate for 1 is forbidden" in said
    assert "Idle it is switched off" in said


def test_what_the_customer_may_not_call(admin: Operator, support: Operator) -> None:
    assert "are forbidden in tariff Callback" in admin.get("/admin/test-number?number=%2B5352123456&product=Callback")
    assert "has no rate for this number" in admin.get("/admin/test-number?number=%2B442071838750&product=Callback")
    assert "has no usage charge" in admin.get("/admin/test-number?number=%2B12065550123&product=Without+callback")
    assert 'id="number-error">' in admin.get("/admin/test-number?number=xyz")
    page = support.get("/admin/test-number?number=%2B12065550123&product=Callback")
    assert "a minute" not in text_of(page).lower()


def test_the_price_of_two_numbers(admin: Operator, support: Operator) -> None:
    address = "/admin/price-calculator?application=-&login=alice&number_a=%2B5511999887766&number_b=%2B12065550123"
    said = text_of(admin.get(address))
    # 5.00 by 0.05 and 0.10 a minute: 33 minutes are 4.95, and the next of B needs 0.10 more.
    assert "Longest talk 33 min" in said
    assert "Available 5.00" in said
    assert "would be refused" in admin.get(address.replace("alice", "bob"))
    assert "There is no such account." in admin.get(address.replace("alice", "nobody"))
    support.get(address, 403)
