"""Speech: numbers, amounts and durations as prompts in a row, by each language's own grammar. Pure.

Here is only which names follow each other; the texts behind them stand in webcb/prompts. A language is a row of GRAMMARS: how it
counts, which form of a unit goes with a number (the cardinal plural rules of CLDR), and which units are feminine or neuter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from webcb.money import MICROS_PER_UNIT

Prompts = tuple[str, ...]
Gender = Literal["", "m", "f", "n"]  # "": a number by itself, nothing is counted
Form = Literal["one", "few", "many"]

NUMBER_MAX: Final = 999_999_999  # beyond, the figures are said one by one
MINUTES_ALONE: Final = 10  # from so many on the seconds are not said
_THOUSAND: Final = 1000
_MILLION: Final = 1_000_000


class Currency(NamedTuple):
    """The units an amount is said in, and how many of the smaller make one of the larger; 1: there is no smaller one."""

    unit: str
    subunit: str
    subunits: int = 100


CURRENCIES: Final = {
    "USD": Currency("dollar", "cent"),
    "CAD": Currency("dollar", "cent"),
    "AUD": Currency("dollar", "cent"),
    "NZD": Currency("dollar", "cent"),
    "EUR": Currency("euro", "eurocent"),
    "GBP": Currency("pound", "penny"),
    "BRL": Currency("real", "centavo"),
    "MXN": Currency("peso", "centavo"),
    "ARS": Currency("peso", "centavo"),
    "COP": Currency("peso", "centavo"),
    "CLP": Currency("peso", "", 1),
    "RUB": Currency("rouble", "kopeck"),
    "CHF": Currency("franc", "centime"),
    "JPY": Currency("yen", "", 1),
    "CNY": Currency("yuan", "", 1),
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language. `of` stands between whole millions and what is counted; `own_eurocent`: it calls the cent of the euro otherwise."""

    count: Callable[[int, Gender], Prompts]
    form: Callable[[int], Form]
    feminine: frozenset[str]
    neuter: frozenset[str] = frozenset()
    of: bool = False
    own_eurocent: bool = False

    def gender(self, unit: str) -> Gender:
        """That of a unit's name."""
        return "f" if unit in self.feminine else "n" if unit in self.neuter else "m"


# Asked by the machines -------------------------------------------------------------------------------------------------


def number(language: str, value: int) -> Prompts:
    """A whole number by itself: "twenty one"."""
    if abs(value) > NUMBER_MAX:
        return (*_sign(value), *digits(str(abs(value))))
    return (*_sign(value), *GRAMMARS[language].count(abs(value), ""))


def digits(text: str) -> Prompts:
    """Figures one by one, as of a PIN or a telephone number."""
    return tuple(f"number-{each}" for each in text)


def counted(language: str, value: int, unit: str) -> Prompts:
    """So many of a unit, 0 or more: "one minute", in Russian "dve minuty"."""
    grammar = GRAMMARS[language]
    if value > NUMBER_MAX:
        return (*digits(str(value)), f"unit-{unit}-many")
    between = ("of",) if grammar.of and value and value % _MILLION == 0 else ()
    return (*grammar.count(value, grammar.gender(unit)), *between, f"unit-{unit}-{grammar.form(value)}")


def duration(language: str, seconds: int) -> Prompts:
    """A duration, never said longer than it is: hours and minutes, or minutes and seconds while they are few."""
    minutes, second = divmod(max(0, seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        parts = [(hours, "hour"), (minute, "minute")]
    else:
        parts = [(minutes, "minute"), (second if minutes < MINUTES_ALONE else 0, "second")]
    said = [counted(language, value, unit) for value, unit in parts if value]
    return _joined(said or [counted(language, 0, "second")])


def amount(language: str, micros: int, currency: str) -> Prompts:
    """An amount of money, never said larger than it is; a currency without a name in CURRENCIES is spelled."""
    sign, whole = _sign(micros), abs(micros)
    known = CURRENCIES.get(currency)
    if known is None:
        units, hundredths = divmod(whole * 100 // MICROS_PER_UNIT, 100)
        fraction = ("point", *digits(f"{hundredths:02d}")) if hundredths else ()
        return (*sign, *number(language, units), *fraction, *(f"letter-{each.lower()}" for each in currency))
    units, subunits = divmod(whole * known.subunits // MICROS_PER_UNIT, known.subunits)
    subunit = known.subunit
    if subunit == "eurocent" and not GRAMMARS[language].own_eurocent:
        subunit = "cent"
    said = [counted(language, value, unit) for value, unit in ((units, known.unit), (subunits, subunit)) if value]
    if not said:
        return counted(language, 0, known.unit)
    return (*sign, *_joined(said))


def _sign(value: int) -> Prompts:
    return ("minus",) if value < 0 else ()


def _joined(parts: list[Prompts]) -> Prompts:
    *before, last = parts
    return (*(name for part in before for name in part), *(("and",) if before else ()), *last)


def _n(key: int | str) -> str:
    return f"number-{key}"


# English -----------------------------------------------------------------------------------------------------------------


def _one_or_many(value: int) -> Form:
    return "one" if value == 1 else "many"


def _none_and_one_alike(value: int) -> Form:
    return "one" if value in (0, 1) else "many"


def _english(value: int, _: Gender) -> Prompts:
    millions, thousands, hundreds, rest = _split(value)
    said: list[str] = []
    if millions:
        said += [*_english(millions, ""), _n("million")]
    if thousands:
        said += [*_english(thousands, ""), _n(1000)]
    if hundreds:
        said += [_n(hundreds), _n(100)]
    if rest > 20 and rest % 10:
        said += [_n(rest - rest % 10), _n(rest % 10)]
    elif rest or not value:
        said.append(_n(rest))
    return tuple(said)


def _split(value: int) -> tuple[int, int, int, int]:
    """Millions, thousands, hundreds and what is left below a hundred."""
    millions, below = divmod(value, _MILLION)
    thousands, below = divmod(below, _THOUSAND)
    return millions, thousands, *divmod(below, 100)


# Spanish -----------------------------------------------------------------------------------------------------------------


def _spanish(value: int, gender: Gender) -> Prompts:
    """Veintiún minutos, treinta y una horas, doscientas libras; mil, but un millón; before what is counted uno is un."""
    millions, thousands, hundreds, rest = _split(value)
    said: list[str] = []
    if millions:
        said += [*_spanish(millions, "m"), _n("million" if millions == 1 else "millions")]
    if thousands:
        # A thousand takes the gender of what is counted in its hundreds, but "un" where they end in one: veintiún mil horas.
        said += [*(_spanish_below(thousands, gender, is_thousands=True) if thousands > 1 else ()), _n(1000)]
    if hundreds or rest or not value:
        said += _spanish_below(hundreds * 100 + rest, gender)
    return tuple(said)


def _spanish_below(value: int, gender: Gender, *, is_thousands: bool = False) -> Prompts:
    hundreds, rest = divmod(value, 100)
    said: list[str] = []
    if hundreds == 1:
        said.append(_n("100-and" if rest else 100))
    elif hundreds:
        said.append(_n(f"{hundreds}00" + ("-f" if gender == "f" else "")))
    of_one: Gender = "m" if is_thousands else gender
    ending = f"-{of_one}" if of_one else ""
    if rest in (1, 21):
        said.append(_n(f"{rest}{ending}"))
    elif rest > 30 and rest % 10:
        said += [_n(rest - rest % 10), "and", _n(f"1{ending}" if rest % 10 == 1 else rest % 10)]
    elif rest or not value:
        said.append(_n(rest))
    return tuple(said)


# Portuguese --------------------------------------------------------------------------------------------------------------


def _portuguese(value: int, gender: Gender) -> Prompts:
    """Vinte e uma horas, duzentas libras, duas mil horas; e before a last part that is below a hundred or whole hundreds."""
    millions, thousands, hundreds, rest = _split(value)
    parts: list[tuple[int, Prompts]] = []
    if millions:
        parts.append((millions, (*_portuguese_below(millions, "m"), _n("million" if millions == 1 else "millions"))))
    if thousands:
        parts.append((thousands, (*(_portuguese_below(thousands, gender) if thousands > 1 else ()), _n(1000))))
    if hundreds or rest or not value:
        parts.append((hundreds * 100 + rest, _portuguese_below(hundreds * 100 + rest, gender)))
    said: list[str] = []
    for place, (size, names) in enumerate(parts):
        is_last = place == len(parts) - 1
        if place and is_last and (size < 100 or size % 100 == 0):
            said.append("and")
        said += names
    return tuple(said)


def _portuguese_below(value: int, gender: Gender) -> Prompts:
    ending = "-f" if gender == "f" else ""
    hundreds, rest = divmod(value, 100)
    parts: list[str] = []
    if hundreds == 1:
        parts.append(_n("100-and" if rest else 100))
    elif hundreds:
        parts.append(_n(f"{hundreds}00{ending}"))
    if rest > 20 and rest % 10:
        parts.append(_n(rest - rest % 10))
        rest %= 10
    if rest or not value:
        parts.append(_n(f"{rest}{ending}" if rest in (1, 2) else rest))
    return tuple(name for part in parts for name in ("and", part))[1:]


# French ------------------------------------------------------------------------------------------------------------------


def _french(value: int, gender: Gender) -> Prompts:
    """Vingt et une minutes, soixante et onze, quatre-vingts, quatre-vingt-une, quatre-vingt-onze; mille without one."""
    millions, thousands, hundreds, rest = _split(value)
    said: list[str] = []
    if millions:
        said += [*_french(millions, "m"), _n("million" if millions == 1 else "millions")]
    if thousands:
        # Before mille the s of quatre-vingts falls, before million it stays.
        said += [*(_french_below(thousands, "m", is_before_mille=True) if thousands > 1 else ()), _n(1000)]
    if hundreds or rest or not value:
        said += _french_below(hundreds * 100 + rest, gender)
    return tuple(said)


def _french_below(value: int, gender: Gender, *, is_before_mille: bool = False) -> Prompts:
    hundreds, rest = divmod(value, 100)
    said = [*([_n(hundreds)] if hundreds > 1 else []), *([_n(100)] if hundreds else [])]
    one = _n("1-f") if gender == "f" else _n(1)
    if rest == 80:
        said.append(_n("80-and" if is_before_mille else 80))
    elif rest > 80:
        said += [_n("80-and"), one if rest == 81 else _n(rest - 80)]
    elif rest > 20 and rest % 10:
        tens = 60 if rest > 60 else rest - rest % 10
        said += [_n(tens), *(["and"] if rest % 10 == 1 else []), one if rest - tens == 1 else _n(rest - tens)]
    elif rest == 70:
        said += [_n(60), _n(10)]
    elif rest == 1:
        said.append(one)
    elif rest or not value:
        said.append(_n(rest))
    return tuple(said)


# German ------------------------------------------------------------------------------------------------------------------


def _german(value: int, gender: Gender) -> Prompts:
    """Einundzwanzig, einhunderteine Minuten, eine Million; eins only where nothing is counted."""
    millions, thousands, hundreds, rest = _split(value)
    said: list[str] = []
    if millions:
        said += [*_german(millions, "f"), _n("million" if millions == 1 else "millions")]
    if thousands:
        said += [*_german(thousands, "m"), _n(1000)]
    if hundreds:
        said += [_german_one("m") if hundreds == 1 else _n(hundreds), _n(100)]
    if rest > 20 and rest % 10:
        unit = rest % 10
        said += [_german_one("m") if unit == 1 else _n(unit), "and", _n(rest - unit)]
    elif rest == 1:
        said.append(_german_one(gender))
    elif rest or not value:
        said.append(_n(rest))
    return tuple(said)


def _german_one(gender: Gender) -> str:
    return _n({"": "1", "f": "1-f"}.get(gender, "1-m"))


# Russian -----------------------------------------------------------------------------------------------------------------


def _russian_form(value: int) -> Form:
    """One for 1, 21, 101 but not 11; few for 2 to 4, 22 to 24 but not 12 to 14; many for the rest."""
    if value % 10 == 1 and value % 100 != 11:
        return "one"
    return "few" if value % 10 in (2, 3, 4) and value % 100 not in (12, 13, 14) else "many"


def _russian(value: int, gender: Gender) -> Prompts:
    """Dve minuty, dva rublya, odno yevro; thousands are counted as feminine, millions as masculine."""
    millions, thousands, hundreds, rest = _split(value)
    said: list[str] = []
    if millions:
        said += [*_russian(millions, "m"), f"unit-million-{_russian_form(millions)}"]
    if thousands:
        said += [*(_russian(thousands, "f") if thousands > 1 else ()), f"unit-thousand-{_russian_form(thousands)}"]
    if hundreds:
        said.append(_n(hundreds * 100))
    if rest > 20:
        said.append(_n(rest - rest % 10))
        rest %= 10
    if rest == 1:
        said.append(_n({"f": "1-f", "n": "1-n"}.get(gender, "1")))
    elif rest == 2:
        said.append(_n("2-f" if gender == "f" else 2))
    elif rest or not value:
        said.append(_n(rest))
    return tuple(said)


# The languages -----------------------------------------------------------------------------------------------------------

GRAMMARS: Final = {
    "en": Grammar(_english, _one_or_many, frozenset()),
    "es": Grammar(_spanish, _one_or_many, frozenset({"hour", "pound"}), of=True, own_eurocent=True),
    "pt": Grammar(_portuguese, _none_and_one_alike, frozenset({"hour", "pound"}), of=True, own_eurocent=True),
    "fr": Grammar(
        _french,
        _none_and_one_alike,
        frozenset({"hour", "minute", "second", "pound"}),
        of=True,
        own_eurocent=True,
    ),
    "de": Grammar(_german, _one_or_many, frozenset({"hour", "minute", "second", "kopeck"}), frozenset({"pound"})),
    "ru": Grammar(
        _russian,
        _russian_form,
        frozenset({"minute", "second", "kopeck", "yen"}),
        frozenset({"euro", "centavo", "peso"}),
    ),
}
LANGUAGES: Final = tuple(GRAMMARS)
