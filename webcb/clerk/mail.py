"""Mails: what a job became of, with its file, to who asked for it; that funds are low, to whose they are; the way to a new
password; an unusual pattern, to operators.

Sent by the operator's mail server.
"""

import json
import logging
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final, cast

from webcb import db
from webcb.billing import pattern, recovery
from webcb.clerk.recovery_words import WORDS
from webcb.models import Account, Customer, Job, LowBalance, Recovery, Unusual, User, VoiceApplication
from webcb.money import format_amount
from webcb.settings import Settings

log = logging.getLogger("webcb.clerk")

SMTP_SECONDS_MAX: Final = 20
TAKEN: Final = timedelta(minutes=2)
TRIES_MAX: Final = 5
ATTACHED_BYTES_MAX: Final = 20 * 1024 * 1024  # what mail servers take; a greater file stays where it is
SAID_MAX: Final = 500
WATCHERS_MAX: Final = 20


Due = Job | LowBalance | Recovery | Unusual  # what has a mail that is due
TABLES: Final = (Job, LowBalance, Recovery, Unusual)


def send_due(settings: Settings, at: datetime) -> datetime | None:
    """Send every mail that is due, and say of the others why not; the moment at which the next one is due."""
    for table in TABLES:
        for due in list(table.select().where(table.mail_due_at <= at).order_by(table.mail_due_at)):
            _send_one(settings, cast("Due", due), at)
    following = [
        row.mail_due_at
        for table in TABLES
        for row in table.select(table.mail_due_at)
        .where(table.mail_due_at.is_null(False))
        .order_by(table.mail_due_at)
        .limit(1)
    ]
    return min(following, default=None)


def _send_one(settings: Settings, due: Due, at: datetime) -> None:
    if not settings.smtp_host:
        _note(due, "Not mailed: smtp_host is not set.")
        return
    to = _recipient(due)
    if not to:
        _note(due, "Not mailed: there is no address.")
        return
    if not _take(due, at):
        return
    message = _message(settings, due)
    try:
        _send(settings, _addressed(settings, message, to, f"{due._meta.table_name}{due.id}", at))
    except (OSError, smtplib.SMTPException) as wrong:
        _put_off(due, wrong, at)
    else:
        _note(due, f"Mailed to {to}.")
        log.info("%s %d: mailed", due._meta.table_name, due.id)


def _recipient(due: Due) -> str:
    if isinstance(due, Job):
        return str(due.mail_to)
    if isinstance(due, Unusual):
        return _watchers(due)
    return _owner(due).mail if isinstance(due, LowBalance) else str((due.account or due.customer).mail)


def _message(settings: Settings, due: Due) -> EmailMessage:
    if isinstance(due, Job):
        return _of_job(settings, due)
    if isinstance(due, Unusual):
        return _of_unusual(settings, due)
    return _of_low_balance(due) if isinstance(due, LowBalance) else _of_recovery(settings, due)


def _take(due: Due, at: datetime) -> bool:
    """Of two clerks that see the same mail, one sends it. Who dies at it leaves it to be sent a little later."""
    table = type(due)
    with db.writing():
        later = table.update(mail_due_at=at + TAKEN)
        return bool(later.where((table.id == due.id) & (table.mail_due_at == due.mail_due_at)).execute() == 1)


def _put_off(due: Due, wrong: Exception, at: datetime) -> None:
    """Once more after 1, 5, 25, 125 minutes; then it is said that it could not be sent."""
    reason = str(wrong).replace("\n", " ")[:200]
    log.warning("%s %d: its mail was not taken: %s", due._meta.table_name, due.id, reason)
    tries = due.mail_tries + 1
    if tries < TRIES_MAX:
        with db.writing():
            due_at = at + timedelta(minutes=5 ** (tries - 1))
            type(due).update(mail_tries=tries, mail_due_at=due_at).where(type(due).id == due.id).execute()
    else:
        _note(due, f"The mail could not be sent: {reason}.")


def _note(due: Due, text: str) -> None:
    """It is not due any more, and why."""
    with db.writing():
        said = (f"{due.said.removesuffix('.')}. {text}" if due.said else text)[:SAID_MAX]
        type(due).update(said=said, mail_due_at=None).where(type(due).id == due.id).execute()


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose funds they are, in words, and where its mails go."""

    name: str
    mail: str


def _owner(fall: LowBalance) -> Owner:
    """Of an account's own funds, its address or else its customer's."""
    account = Account.get_or_none(Account.wallet == fall.wallet, Account.balance_control == "individual")
    if account is not None:
        return Owner(f"account {account.login}", account.mail or account.customer.mail)
    customer = Customer.get(Customer.wallet == fall.wallet)
    return Owner(f"customer {customer.name}", customer.mail)


def _of_low_balance(fall: LowBalance) -> EmailMessage:
    owner, currency = _owner(fall).name, fall.wallet.currency
    message = EmailMessage()
    message["Subject"] = f"webcb: the funds of {owner} are low"
    threshold, funds = format_amount(fall.threshold_micros), format_amount(fall.funds_micros)
    message.set_content(
        f"The funds of {owner} have fallen below {threshold} {currency}: on {fall.at:%Y-%m-%d at %H:%M} UTC"
        f" they were {funds} {currency}.\n\nThis is said once, and again only after they were above it.\n"
    )
    return message


def _watchers(alarm: Unusual) -> str:
    """Who is told of alarms at an application: whom it names, else every administrator with an address."""
    application = VoiceApplication.get_or_none(VoiceApplication.name == alarm.application)
    if application is not None and application.unusual_mail:
        return str(application.unusual_mail)
    administrators = User.select(User.mail).where((User.role == "administrator") & ~User.blocked & (User.mail != ""))
    return ", ".join(row.mail for row in administrators.order_by(User.id).limit(WATCHERS_MAX))


def _of_unusual(settings: Settings, alarm: Unusual) -> EmailMessage:
    kind, subject, facts = alarm.kind, alarm.subject, json.loads(alarm.facts)
    shown = f"+{subject}" if kind in ("number A", "number B", "destination") and subject != "|" else subject
    headline = pattern.headline(alarm.pattern, kind, shown, alarm.seen, alarm.currency, money=True)
    said = pattern.evidence(alarm.pattern, facts, alarm.usual, alarm.currency, money=True)
    message = EmailMessage()
    message["Subject"] = f"webcb: {headline}"
    message.set_content(
        f"{headline}, at {alarm.application}, in the hour before {alarm.at:%Y-%m-%d %H:%M} UTC.\n\n{said}\n\n"
        f"{settings.public_url}/admin/unusual/{alarm.id}\n\nThe same is not said again within a day.\n"
    )
    return message


def _of_recovery(settings: Settings, asked: Recovery) -> EmailMessage:
    of = asked.account or asked.customer
    subject, asked_for, choose, otherwise = WORDS[of.language if asked.account else "en"]
    link = f"{settings.public_url}/selfcare/recover/{asked.id}/{recovery.mark(asked)}"
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content(f"{asked_for.format(login=of.web_login)}\n\n{choose}\n{link}\n\n{otherwise}\n")
    return message


def _addressed(settings: Settings, message: EmailMessage, to: str, name: str, at: datetime) -> EmailMessage:
    message["From"] = settings.mail_from or f"webcb@{settings.node_name}"
    message["To"] = to
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(name, domain=message["From"].rsplit("@", 1)[1].rstrip(">"))
    return message


def _of_job(settings: Settings, job: Job) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = f"webcb: {job.kind}, {'failed' if job.state == 'failed' else 'done'}"
    lines = [f"{job.said.removesuffix('.')}.", ""]
    path = settings.data_dir / job.file if job.file else None
    content = _content(path)
    if path is not None and content is None:
        lines += [f"The file is too large for a mail. It is kept on {settings.node_name}: {path}", ""]
    elif path is not None:
        lines += [f"The file is attached, and kept on {settings.node_name}: {path}", ""]
    message.set_content("\n".join([*lines, f"Asked for by {job.asked_by}."]))
    if path is not None and content is not None:
        message.add_attachment(content, maintype="text", subtype="csv", filename=path.name)
    return message


def _content(path: Path | None) -> bytes | None:
    if path is None or not path.exists() or path.stat().st_size > ATTACHED_BYTES_MAX:
        return None
    return path.read_bytes()


def _send(settings: Settings, message: EmailMessage) -> None:
    host, port = settings.smtp_host, settings.smtp_port
    context = ssl.create_default_context()
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SMTP_SECONDS_MAX, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=SMTP_SECONDS_MAX)
    with server:
        if settings.smtp_security == "starttls":
            server.starttls(context=context)
        if settings.smtp_username:
            server.login(settings.smtp_username, settings.smtp_password)
        server.send_message(message)
