"""The entry of the company that runs the service."""

from typing import Annotated

from webcb.provisioning.entry import Entry
from webcb.provisioning.fields import mail_address, naming, text


class Company(Entry):
    """Who runs the service, as statements name it; there is one."""

    NOUN = "company"
    name: Annotated[str, naming("its name")]
    address: Annotated[str, text("where it is, on one line", 200)] = ""
    tax_number: Annotated[str, text("its tax number, as it must stand on statements", 64)] = ""
    phone: Annotated[str, text("where its customers call with questions", 40)] = ""
    mail: Annotated[str, mail_address("where its customers write to")] = ""
