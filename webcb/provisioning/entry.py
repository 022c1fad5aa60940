"""What all entries of a provisioning file share."""

from functools import cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from webcb.provisioning.fields import Reader


class Entry(BaseModel):
    """One thing of the file, compared whole: a field that is not written has its default.

    Two sorts of fields speak only once: secrets that are not written stay as they are, an opening balance is posted at
    creation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    NOUN: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    COLUMNS: ClassVar[dict[str, str]] = {}  # field -> column, where the names differ
    FIXED: ClassVar[frozenset[str]] = frozenset()  # said once, at creation
    CHILDREN: ClassVar[dict[str, type["Entry"]]] = {}

    @classmethod
    @cache
    def reader(cls, field: str) -> Reader:
        """How the field is read and written back."""
        return next(each for each in cls.model_fields[field].metadata if isinstance(each, Reader))

    @classmethod
    def column(cls, field: str) -> str:
        """The column (or attribute of a reference) that holds the field."""
        return cls.COLUMNS.get(field, field)
