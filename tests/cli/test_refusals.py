"""Every reason to refuse a callback: what an operator changed, and what `webcb quote` says; changed back, it quotes again."""

from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGURATION, Types
from webcb.billing.authorization import Reason

A, B = "+12065554123", "+5511999887766"
NOON = "2099-06-01T12:00:00Z"

CUSTOMER = "name: Cards, currency: USD, balance_control: prepaid"
ACCOUNT = "login: rich, customer: Cards, product: Calls"
RATE = "prefix: 55, first_price: 0.10, next_price: 0.10, first_interval_seconds: 60, next_interval_seconds: 60"
CHANGES = [
    (f"accounts: [{{{ACCOUNT}, blocked: true}}]", "account blocked"),
    (f"accounts: [{{{ACCOUNT}, closed: true}}]", "account closed"),
    (f"accounts: [{{{ACCOUNT}, blocked: true, closed: true}}]", "account blocked"),  # of several the first is said
    (f"accounts: [{{{ACCOUNT}, activated: false}}]", "account inactive"),
    (f'accounts: [{{{ACCOUNT}, activation_at: "2099-06-02T00:00:00Z"}}]', "account inactive"),
    (f'accounts: [{{{ACCOUNT}, expires_at: "{NOON}"}}]', "account expired"),  # from that moment on
    (f"customers: [{{{CUSTOMER}, status: blocked}}]", "customer blocked"),
    (f"customers: [{{{CUSTOMER}, status: closed}}]", "customer blocked"),
    ("products: [{name: Calls, currency: USD, blocked: true}]", "product blocked"),
    (
        "products: [{name: Calls, currency: USD, usage_charges: [{access_code: WEBCALLBACK, absent: true}]}]",
        "not permitted",
    ),
    ("own_numbers: [{digits: 12065554123}]", "own number for A, +1 206-555-4123"),
    (
        'voice_applications: [{name: Front page, path: "-", barred_prefixes: "5511"}]',
        "barred destination for B, +55 11 99988-7766",
    ),
    (
        'voice_applications: [{name: Front page, path: "-", allowed_prefixes: "55"}]',
        "barred destination for A, +1 206-555-4123",
    ),
    (
        'voice_applications: [{name: Front page, path: "-", quiet_hours: "4-6"}]',  # 12:00 UTC is 5:00 in Seattle
        "quiet hours for A, +1 206-555-4123",
    ),
    ("tariffs: [{name: Retail, currency: USD, blocked: true}]", "tariff blocked for A, +1 206-555-4123"),
    (
        f"tariffs: [{{name: Retail, currency: USD, rates: [{{{RATE}, forbidden: true}}]}}]",
        "forbidden destination for B, +55 11 99988-7766",
    ),
    (
        f"tariffs: [{{name: Retail, currency: USD, rates: [{{{RATE}, discontinued: true}}]}}]",
        "no rate for B, +55 11 99988-7766",
    ),
    (
        "connections: [{name: trunk, vendor: Carrier, tariff: Carrier, host: 192.0.2.1, active: false}]",
        "no route for A, +1 206-555-4123",
    ),
    (
        "tariffs: [{name: Carrier, currency: USD, applied_to: vendor, blocked: true}]",
        "no route for A, +1 206-555-4123",
    ),
    # A by 1/1 at 0.01: a second is 0.00017; B by 60/60 at 0.10: together 0.10017.
    (
        f"accounts: [{{{ACCOUNT}, daily_spend_max: 0.10}}]",
        "daily spend reached; 0.10017 USD must be available to begin",
    ),
    ('voice_applications: [{name: Front page, path: "-", active: false}]', "application closed"),
    (
        'voice_applications: [{name: Front page, path: "-", opening_hours: "hr{13-14}"}]',
        "application closed",
    ),
    (
        'voice_applications: [{name: Front page, path: "-", kinds: hosted, internal_account: staff}]',
        "kind of callback not offered",
    ),
]
# Said where more than a quote is asked for, or of what cannot be typed here; the tests of reception, guards and pages have them.
ELSEWHERE = {
    Reason.WRONG_CREDENTIALS, Reason.EMERGENCY, Reason.PREMIUM, Reason.NO_FUNDS, Reason.SAME_NUMBER,  # mistakes.txt
    Reason.TOO_MANY, Reason.TOO_MANY_TRIES, Reason.TOO_OFTEN, Reason.TOO_MANY_TO_NUMBER, Reason.SERVICE_FULL, Reason.BAD_NUMBER,
    Reason.NEVER_CALL, Reason.SOURCE_BARRED, Reason.LINK_NEEDED, Reason.CHALLENGE_UNSOLVED, Reason.CODE_NEEDED,
    Reason.CODE_WRONG, Reason.CODE_OVER, Reason.CODES_TOO_OFTEN,
}  # fmt: skip


def test_no_reason_is_forgotten() -> None:
    said = {reason for reason in Reason for _, text in CHANGES if text.startswith(reason)}
    assert said | ELSEWHERE == set(Reason)


@pytest.mark.sqlite_alone
def test_what_is_said(installed: Types) -> None:
    quote = ("quote", "--account", "rich", "--at", NOON, A, B)
    file, unsaid = Path("change.yaml"), []
    for change, expected in CHANGES:
        file.write_text(change)
        applied = installed("apply", "change.yaml")
        said = installed(*quote)
        if applied.status or (said.status, said.err) != (1, f"webcb: refused: {expected}\n"):
            unsaid.append((change, applied.err, said.err or said.out))
        file.write_text("own_numbers: [{digits: 12065554123, absent: true}]")
        assert installed("apply", str(CONFIGURATION)).status == installed("apply", "change.yaml").status == 0
        quoted = installed(*quote)
        if quoted.status:
            unsaid.append((f"after {change}", "", quoted.err))
            break
    assert unsaid == []
