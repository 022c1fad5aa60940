"""IDs of generated accounts: which there are room for, and how they are drawn. Pure; randomness is handed in.

An ID is letters, then digits: `cb1818` and length 9 give cb1818NNNNN. The digits never begin with 0, as print shops and
spreadsheets lose it (domain 5).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

LETTERS_MAX = 16
DIGITS_MAX = 32
QUANTITY_MAX = 1_000_000
LISTED_MAX = (
    2_000_000  # of so many IDs at most all that are free are listed; in more of them, drawing hits few that are taken
)

Below = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Numbering:
    """What the IDs look like: `prefix` of letters and digits, and `length`, the number of all digits."""

    prefix: str
    length: int

    @property
    def letters(self) -> str:
        return self.prefix.rstrip("0123456789")

    @property
    def free_digits(self) -> int:
        """How many digits are drawn; 0 or less: none are left."""
        return self.length - (len(self.prefix) - len(self.letters))

    @property
    def first(self) -> int:
        """The smallest number that the drawn digits may be."""
        starts_with_them = self.letters == self.prefix
        return 10 ** (self.free_digits - 1) if starts_with_them else 0

    @property
    def room(self) -> int:
        """How many IDs there are."""
        return 10**self.free_digits - self.first if self.free_digits > 0 else 0

    def id(self, place: int) -> str:
        """The ID at a place, 0 to room - 1."""
        return f"{self.prefix}{self.first + place:0{self.free_digits}d}"

    def place(self, login: str) -> int | None:
        """The place of an ID; None where it is not one of these."""
        digits = login[len(self.prefix) :]
        fits = login.startswith(self.prefix) and len(digits) == self.free_digits
        if not fits or not (digits.isascii() and digits.isdigit()) or int(digits) < self.first:
            return None
        return int(digits) - self.first


def problem(numbering: Numbering) -> str | None:
    """What is wrong with a numbering, whatever the quantity, and what would be right; None: nothing."""
    digits = numbering.prefix[len(numbering.letters) :]
    if not (numbering.letters == "" or (numbering.letters.isascii() and numbering.letters.isalpha())):
        return "ID prefix: write letters, then digits, as in cb or cb1818"
    if len(numbering.letters) > LETTERS_MAX:
        return f"ID prefix: at most {LETTERS_MAX} letters"
    if digits.startswith("0"):
        return "ID prefix: the digits of an ID do not begin with 0"
    if not 1 <= numbering.length <= DIGITS_MAX:
        return f"ID length: 1 to {DIGITS_MAX} digits"
    return None


def misfit(numbering: Numbering, quantity: int, taken: int) -> str | None:
    """Why so many new IDs do not fit beside those taken, and what would; None: they fit."""
    left = max(0, numbering.room - taken)
    if quantity <= left:
        return None
    wanted = numbering
    while wanted.length < DIGITS_MAX and wanted.room < quantity + taken:
        wanted = Numbering(wanted.prefix, wanted.length + 1)
    of_them = f", {taken:,} of them in use" if taken and numbering.room else ""
    return (
        f"{quantity:,} IDs do not fit: with length {numbering.length} and prefix {numbering.prefix or 'empty'} there are "
        f"{numbering.room:,}{of_them}. Ask for {f'at most {left:,}, or for ' if left else ''}length {wanted.length}."
    )


def drawn(numbering: Numbering, taken: Callable[[], Collection[int]], below: Below) -> Iterator[str]:
    """IDs in random order until none is left that is not `taken`, the places in use. `below(n)` draws 0 to n-1.

    Where there are very many IDs, `taken` is not asked and one may come twice: who takes them looks whether it is in use.
    """
    if numbering.room <= LISTED_MAX:
        used = taken()
        left = [place for place in range(numbering.room) if place not in used]
        while left:
            at = below(len(left))
            left[at], left[-1] = left[-1], left[at]
            yield numbering.id(left.pop())
    else:
        while True:
            yield numbering.id(below(numbering.room))
