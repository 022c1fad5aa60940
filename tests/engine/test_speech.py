"""What is said of numbers, amounts and durations, as text: the prompts' names put into words by the catalogue of each language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.engine import speech
from webcb.engine.speech import CURRENCIES, GRAMMARS, LANGUAGES, NUMBER_MAX, Prompts
from webcb.prompts import catalogue


def said(language: str, prompts: Prompts) -> str:
    texts = catalogue.texts(language).by_name
    return " ".join(texts[name] for name in prompts)


NUMBERS = {
    "en": {
        0: "zero",
        12: "twelve",
        20: "twenty",
        21: "twenty one",
        100: "one hundred",
        119: "one hundred nineteen",
        1000: "one thousand",
        1_001: "one thousand one",
        123_456: "one hundred twenty three thousand four hundred fifty six",
        2_000_000: "two million",
    },
    "es": {
        0: "cero",
        1: "uno",
        16: "dieciséis",
        21: "veintiuno",
        31: "treinta y uno",
        77: "setenta y siete",
        100: "cien",
        101: "ciento uno",
        500: "quinientos",
        999: "novecientos noventa y nueve",
        1000: "mil",
        1_100: "mil cien",
        21_000: "veintiún mil",
        31_000: "treinta y un mil",
        100_000: "cien mil",
        1_000_000: "un millón",
        2_500_000: "dos millones quinientos mil",
    },
    "pt": {
        0: "zero",
        1: "um",
        14: "quatorze",
        21: "vinte e um",
        100: "cem",
        101: "cento e um",
        122: "cento e vinte e dois",
        200: "duzentos",
        1000: "mil",
        1_001: "mil e um",
        1_100: "mil e cem",
        1_234: "mil duzentos e trinta e quatro",
        2_000: "dois mil",
        1_000_000: "um milhão",
        3_000_200: "três milhões e duzentos",
    },
    "fr": {
        0: "zéro",
        17: "dix-sept",
        21: "vingt et un",
        22: "vingt deux",
        60: "soixante",
        70: "soixante dix",
        71: "soixante et onze",
        72: "soixante douze",
        79: "soixante dix-neuf",
        80: "quatre-vingts",
        81: "quatre-vingt un",
        89: "quatre-vingt neuf",
        90: "quatre-vingt dix",
        91: "quatre-vingt onze",
        99: "quatre-vingt dix-neuf",
        100: "cent",
        101: "cent un",
        171: "cent soixante et onze",
        200: "deux cent",
        1000: "mille",
        1_080: "mille quatre-vingts",
        80_000: "quatre-vingt mille",
        80_000_000: "quatre-vingts millions",
        2_000: "deux mille",
    },
    "de": {
        0: "null",
        1: "eins",
        11: "elf",
        21: "ein und zwanzig",
        99: "neun und neunzig",
        100: "ein hundert",
        101: "ein hundert eins",
        1000: "ein tausend",
        1_984: "ein tausend neun hundert vier und achtzig",
        21_000: "ein und zwanzig tausend",
        1_000_000: "eine Million",
        2_000_001: "zwei Millionen eins",
    },
    "ru": {
        0: "ноль",
        1: "один",
        2: "два",
        11: "одиннадцать",
        21: "двадцать один",
        40: "сорок",
        100: "сто",
        212: "двести двенадцать",
        1000: "тысяча",
        2_000: "две тысячи",
        5_000: "пять тысяч",
        21_000: "двадцать одна тысяча",
        12_000: "двенадцать тысяч",
        1_000_000: "один миллион",
        3_000_000: "три миллиона",
        7_000_000: "семь миллионов",
    },
}


@pytest.mark.parametrize(
    ("language", "value", "words"),
    [(each, value, words) for each, row in NUMBERS.items() for value, words in row.items()],
)
def test_a_number_by_itself(language: str, value: int, words: str) -> None:
    assert said(language, speech.number(language, value)) == words


COUNTED = [
    ("en", 1, "minute", "one minute"),
    ("en", 0, "cent", "zero cents"),
    ("en", 2, "penny", "two pence"),
    ("es", 1, "minute", "un minuto"),
    ("es", 1, "hour", "una hora"),
    ("es", 21, "minute", "veintiún minutos"),
    ("es", 21, "hour", "veintiuna horas"),
    ("es", 41, "dollar", "cuarenta y un dólares"),
    ("es", 41, "pound", "cuarenta y una libras"),
    ("es", 101, "dollar", "ciento un dólares"),
    ("es", 200, "pound", "doscientas libras"),
    ("es", 200, "dollar", "doscientos dólares"),
    ("es", 300_000, "pound", "trescientas mil libras"),
    ("es", 1_000_000, "peso", "un millón de pesos"),
    ("es", 1_000_001, "peso", "un millón un pesos"),
    ("pt", 0, "minute", "zero minuto"),
    ("pt", 1, "minute", "um minuto"),
    ("pt", 2, "minute", "dois minutos"),
    ("pt", 2, "hour", "duas horas"),
    ("pt", 22, "hour", "vinte e duas horas"),
    ("pt", 21, "hour", "vinte e uma horas"),
    ("pt", 200, "pound", "duzentas libras"),
    ("pt", 2_000, "pound", "duas mil libras"),
    ("pt", 2_000_000, "real", "dois milhões de reais"),
    ("fr", 0, "minute", "zéro minute"),
    ("fr", 1, "minute", "une minute"),
    ("fr", 1, "dollar", "un dollar"),
    ("fr", 21, "second", "vingt et une secondes"),
    ("fr", 61, "minute", "soixante et une minutes"),
    ("fr", 71, "minute", "soixante et onze minutes"),
    ("fr", 81, "minute", "quatre-vingt une minutes"),
    ("fr", 81, "euro", "quatre-vingt un euros"),
    ("fr", 1_000_000, "franc", "un million de francs"),
    ("de", 1, "minute", "eine Minute"),
    ("de", 1, "dollar", "ein Dollar"),
    ("de", 21, "minute", "ein und zwanzig Minuten"),
    ("de", 101, "minute", "ein hundert eine Minuten"),
    ("de", 101, "euro", "ein hundert ein Euro"),
    ("de", 1, "pound", "ein Pfund"),
    ("ru", 1, "minute", "одна минута"),
    ("ru", 2, "minute", "две минуты"),
    ("ru", 5, "minute", "пять минут"),
    ("ru", 11, "minute", "одиннадцать минут"),
    ("ru", 12, "minute", "двенадцать минут"),
    ("ru", 21, "minute", "двадцать одна минута"),
    ("ru", 22, "second", "двадцать две секунды"),
    ("ru", 1, "rouble", "один рубль"),
    ("ru", 2, "rouble", "два рубля"),
    ("ru", 14, "rouble", "четырнадцать рублей"),
    ("ru", 104, "rouble", "сто четыре рубля"),
    ("ru", 111, "rouble", "сто одиннадцать рублей"),
    ("ru", 31, "kopeck", "тридцать одна копейка"),
    ("ru", 42, "kopeck", "сорок две копейки"),
    ("ru", 1, "euro", "одно евро"),
    ("ru", 2, "euro", "два евро"),
    ("ru", 3, "hour", "три часа"),
    ("ru", 1_000, "dollar", "тысяча долларов"),
    ("ru", 2_001, "dollar", "две тысячи один доллар"),
]


@pytest.mark.parametrize(("language", "value", "unit", "words"), COUNTED)
def test_so_many_of_a_unit(language: str, value: int, unit: str, words: str) -> None:
    assert said(language, speech.counted(language, value, unit)) == words


DURATIONS = [
    ("en", 0, "zero seconds"),
    ("en", 59, "fifty nine seconds"),
    ("en", 60, "one minute"),
    ("en", 61, "one minute and one second"),
    ("en", 659, "ten minutes"),
    ("en", 3600, "one hour"),
    ("en", 7_380, "two hours and three minutes"),
    ("es", 3_661, "una hora y un minuto"),
    ("pt", 7_320, "duas horas e dois minutos"),
    ("fr", 4_260, "une heure et onze minutes"),
    ("de", 1_261, "ein und zwanzig Minuten"),
    ("de", 3_660, "eine Stunde und eine Minute"),
    ("ru", 122, "две минуты и две секунды"),
    ("ru", 18_060, "пять часов и одна минута"),
]


@pytest.mark.parametrize(("language", "seconds", "words"), DURATIONS)
def test_a_duration(language: str, seconds: int, words: str) -> None:
    assert said(language, speech.duration(language, seconds)) == words


AMOUNTS = [
    ("en", 0, "USD", "zero dollars"),
    ("en", 9_999, "USD", "zero dollars"),
    ("en", 10_000, "USD", "one cent"),
    ("en", 5_000_000, "USD", "five dollars"),
    ("en", 12_349_999, "USD", "twelve dollars and thirty four cents"),
    ("en", -1_500_000, "GBP", "minus one pound and fifty pence"),
    ("en", 1_230_000, "EUR", "one euro and twenty three cents"),
    ("en", 1_990_000, "JPY", "one yen"),
    ("en", 1_500_000, "KZT", "one point five zero K Z T"),
    ("en", 3_000_000, "KZT", "three K Z T"),
    ("es", 21_210_000, "EUR", "veintiún euros y veintiún céntimos"),
    ("es", 1_010_000, "MXN", "un peso y un centavo"),
    ("pt", 2_020_000, "BRL", "dois reais e dois centavos"),
    ("pt", 1_000_000, "BRL", "um real"),
    ("fr", 80_810_000, "EUR", "quatre-vingts euros et quatre-vingt un centimes"),
    ("de", 21_010_000, "CHF", "ein und zwanzig Franken und ein Rappen"),
    ("de", 1_010_000, "RUB", "ein Rubel und eine Kopeke"),
    ("ru", 1_010_000, "RUB", "один рубль и одна копейка"),
    ("ru", 3_320_000, "RUB", "три рубля и тридцать две копейки"),
    ("ru", 11_110_000, "USD", "одиннадцать долларов и одиннадцать центов"),
]


@pytest.mark.parametrize(("language", "micros", "currency", "words"), AMOUNTS)
def test_an_amount(language: str, micros: int, currency: str, words: str) -> None:
    assert said(language, speech.amount(language, micros, currency)) == words


@given(
    st.sampled_from(LANGUAGES), st.integers(-2 * NUMBER_MAX, 2 * NUMBER_MAX), st.sampled_from(["", *CURRENCIES, "XAF"])
)
def test_whatever_is_said_has_its_prompts(language: str, value: int, currency: str) -> None:
    prompts = speech.amount(language, value * 1000, currency) if currency else speech.number(language, value)
    assert said(language, prompts)
    assert said(language, speech.duration(language, abs(value)))


@given(st.sampled_from(LANGUAGES), st.integers(0, NUMBER_MAX), st.integers(0, NUMBER_MAX))
def test_two_numbers_are_never_said_alike(language: str, one: int, other: int) -> None:
    if one != other:
        assert speech.number(language, one) != speech.number(language, other)


def test_every_unit_has_a_name_in_every_language() -> None:
    units = {"hour", "minute", "second"} | {unit for each in CURRENCIES.values() for unit in each[:2] if unit}
    for language, grammar in GRAMMARS.items():
        texts = catalogue.texts(language).by_name
        wanted = units - (set() if grammar.own_eurocent else {"eurocent"})
        for unit in wanted:
            assert {f"unit-{unit}-{grammar.form(value)}" for value in range(30)} <= set(texts), (language, unit)


def test_all_languages_say_the_same_things() -> None:
    """Every phrase of English is in every language; what else they have is for their grammar alone."""
    phrases = {name for name in catalogue.texts("en").by_name if not name.startswith(("number-", "unit-"))}
    for language in catalogue.LANGUAGES:
        own = {name for name in catalogue.texts(language).by_name if not name.startswith(("number-", "unit-"))}
        assert own - {"of"} == phrases, language
