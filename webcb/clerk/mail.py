"""Mails: what a job became of, with its file, to who asked for it. Sent by the operator's mail server."""

import logging
import smtplib
import ssl
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final

from webcb import db
from webcb.models import Job
from webcb.settings import Settings

log = logging.getLogger("webcb.clerk")

SMTP_SECONDS_MAX: Final = 20
TAKEN: Final = timedelta(minutes=2)
TRIES_MAX: Final = 5
ATTACHED_BYTES_MAX: Final = 20 * 1024 * 1024  # what mail servers take; a greater file stays where it is
SAID_MAX: Final = 500


def send_due(settings: Settings, at: datetime) -> datetime | None:
    """Send every mail that is due, and say of the others why not; the moment at which the next one is due."""
    for job in list(Job.select().where(Job.mail_due_at <= at).order_by(Job.mail_due_at)):
        if not settings.smtp_host:
            _note(job, "Not mailed: smtp_host is not set.", due_at=None)
            continue
        if not _take(job, at):
            continue
        try:
            _send(settings, _message(settings, job, at))
        except (OSError, smtplib.SMTPException) as wrong:
            _put_off(job, wrong, at)
        else:
            _note(job, f"Mailed to {job.mail_to}.", due_at=None)
            log.info("job %d: mailed", job.id)
    following = Job.select(Job.mail_due_at).where(Job.mail_due_at.is_null(False)).order_by(Job.mail_due_at).first()
    return following.mail_due_at if following else None


def _take(job: Job, at: datetime) -> bool:
    """Of two clerks that see the same mail, one sends it. Who dies at it leaves it to be sent a little later."""
    with db.writing():
        later = Job.update(mail_due_at=at + TAKEN).where((Job.id == job.id) & (Job.mail_due_at == job.mail_due_at))
        return bool(later.execute() == 1)


def _put_off(job: Job, wrong: Exception, at: datetime) -> None:
    """Once more after 1, 5, 25, 125 minutes; then it is said that it could not be sent."""
    reason = str(wrong).replace("\n", " ")[:200]
    log.warning("job %d: its mail was not taken: %s", job.id, reason)
    tries = job.mail_tries + 1
    if tries < TRIES_MAX:
        with db.writing():
            due_at = at + timedelta(minutes=5 ** (tries - 1))
            Job.update(mail_tries=tries, mail_due_at=due_at).where(Job.id == job.id).execute()
    else:
        _note(job, f"The mail could not be sent: {reason}.", due_at=None)


def _note(job: Job, text: str, due_at: datetime | None) -> None:
    with db.writing():
        said = f"{job.said.removesuffix('.')}. {text}"[:SAID_MAX]
        Job.update(said=said, mail_due_at=due_at).where(Job.id == job.id).execute()


def _message(settings: Settings, job: Job, at: datetime) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.mail_from or f"webcb@{settings.node_name}"
    message["To"] = job.mail_to
    message["Subject"] = f"webcb: {job.kind}, {'failed' if job.state == 'failed' else 'done'}"
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(f"job{job.id}", domain=message["From"].rsplit("@", 1)[1].rstrip(">"))
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
