"""Money: whole micros (millionths of the currency unit), their reading, printing, and the only rounding of the house."""

from fractions import Fraction

MICROS_PER_UNIT = 1_000_000
DECIMALS_MAX = 6
AMOUNT_MICROS_MAX = 10**15  # a thousand million units: what fits every column and every sum of such columns
WHOLE_DIGITS_MAX = len(str(AMOUNT_MICROS_MAX // MICROS_PER_UNIT))

Micros = int


class AmountError(ValueError):
    """Text that is not an amount; the message says what would be."""


def parse_amount(text: str, *, decimals: int = DECIMALS_MAX) -> Micros:
    """Read a decimal amount such as `0.10` or `-5` exactly; raises AmountError with what would be right."""
    stripped = text.strip()
    sign, digits = (-1, stripped[1:]) if stripped.startswith("-") else (1, stripped)
    whole, point, fraction = digits.partition(".")
    well_formed = whole.isascii() and whole.isdigit() and (not point or (fraction.isascii() and fraction.isdigit()))
    if not well_formed:
        raise AmountError(f"{text!r} is not an amount; write digits with a point, as in 0.10")
    if len(fraction) > decimals:
        raise AmountError(f"{text!r} has more than {decimals} decimals")
    significant = whole.lstrip("0") or "0"
    micros = int(significant[:WHOLE_DIGITS_MAX]) * MICROS_PER_UNIT + int(fraction.ljust(DECIMALS_MAX, "0"))
    if micros > AMOUNT_MICROS_MAX or len(significant) > WHOLE_DIGITS_MAX:
        raise AmountError(f"{text[:40]!r} is larger than {AMOUNT_MICROS_MAX // MICROS_PER_UNIT}")
    return sign * micros


def format_amount(micros: Micros, *, decimals_min: int = 2) -> str:
    """Print an amount exactly, with at least `decimals_min` decimals and no further trailing zeros: 110000 -> 0.11."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS_PER_UNIT)
    digits = f"{fraction:06d}".rstrip("0").ljust(decimals_min, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def round_away(numerator: int, denominator: int, decimals: int) -> Micros:
    """Round numerator/denominator micros away from zero to `decimals` decimals of the unit: the one rounding (domain 2)."""
    step: int = 10 ** (DECIMALS_MAX - decimals)
    divisor = denominator * step
    steps = -(-abs(numerator) // divisor)
    return steps * step if numerator >= 0 else -steps * step


def percent_to_ppm(text: str) -> int:
    """Read a percentage such as `2.5` as parts per million (25000); at most four decimals."""
    micros = parse_amount(text, decimals=4)
    return micros // 100


def format_percent(ppm: int) -> str:
    """Print parts per million as a percentage: 25000 -> 2.5."""
    share = Fraction(ppm, 10_000)
    return format_amount(share.numerator * MICROS_PER_UNIT // share.denominator, decimals_min=0)
