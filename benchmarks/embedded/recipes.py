"""Small functions as data: what they compute, in words, and several ways of writing the body.

In phrases and bodies ``$x``, ``$y``, ``$z`` stand for the arguments, ``$k`` and ``$c`` for a small number and a
letter drawn per document, and ``@t``, ``@e``, … for local names drawn from a pool for their part in the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A piece of a recipe that a helper function can take over.

    Attributes:
        name: Name stem of the helper.
        ins: Kinds of its parameters, written ``$v`` and ``$y`` in the bodies.
        out: Kind of its result.
        bodies: Ways of writing it.
    """

    name: str
    ins: tuple[str, ...]
    out: str
    bodies: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """One function: kinds in and out, noun phrases for its result, and bodies that compute it.

    Attributes:
        ins: Kinds of the arguments ``$x``, ``$y``, ``$z``.
        out: Kind of the result.
        name: Name stem, in snake case.
        phrases: Noun phrases for the result.
        bodies: Equivalent function bodies, without indentation.
        part: What a helper can take over, if the recipe has such a piece.
        calls: Bodies in which the helper ``@p`` does that piece.
    """

    ins: tuple[str, ...]
    out: str
    name: str
    phrases: tuple[str, ...]
    bodies: tuple[str, ...]
    part: Part | None = None
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Property:
    """A test of one element: its name, the words "that …", and expressions in ``$v`` (and perhaps ``$y``)."""

    name: str
    words: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A change of one element: its name, the words "the … of", and expressions in ``$v``."""

    name: str
    words: str
    exprs: tuple[str, ...]


def recipe(ins: str, out: str, name: str, phrases: str, *bodies: str) -> Recipe:
    """Build a recipe from compact strings: kinds by commas, phrases by bars."""
    return Recipe(tuple(ins.split(",")), out, name, tuple(phrases.split("|")), bodies)


INT_PROPERTIES = (
    Property("even", "are even", ("$v % 2 == 0", "not $v % 2")),
    Property("odd", "are odd", ("$v % 2 == 1", "$v % 2 != 0")),
    Property("positive", "are positive", ("$v > 0",)),
    Property("negative", "are negative", ("$v < 0",)),
    Property("zero", "are equal to zero", ("$v == 0",)),
    Property("nonzero", "differ from zero", ("$v != 0",)),
    Property("above", "are greater than $k", ("$v > $k",)),
    Property("below", "are smaller than $k", ("$v < $k",)),
    Property("multiple", "are divisible by $k", ("$v % $k == 0",)),
    Property("ends_with_digit", "end in the digit $k", ("abs($v) % 10 == $k", "str($v)[-1] == '$k'")),
    Property("two_digit", "have exactly two digits", ("10 <= abs($v) <= 99", "len(str(abs($v))) == 2")),
    Property("above_limit", "are greater than $y", ("$v > $y",)),
    Property("below_limit", "are less than $y", ("$v < $y",)),
    Property("at_least", "are at least $y", ("$v >= $y",)),
    Property("equal", "are equal to $y", ("$v == $y",)),
    Property("different", "are not equal to $y", ("$v != $y",)),
)
INT_CHANGES = (
    Change("square", "squares", ("$v * $v", "$v ** 2")),
    Change("cube", "cubes", ("$v ** 3", "$v * $v * $v")),
    Change("double", "doubles", ("$v * 2", "2 * $v")),
    Change("absolute", "absolute values", ("abs($v)",)),
    Change("negate", "opposites", ("-$v",)),
    Change("increase", "values increased by $k", ("$v + $k",)),
    Change("scale", "values multiplied by $k", ("$v * $k",)),
    Change("remainder", "remainders modulo $k", ("$v % $k",)),
    Change("last_digit", "last digits", ("abs($v) % 10",)),
    Change("shift", "values plus $y", ("$v + $y",)),
    Change("times", "values times $y", ("$v * $y",)),
)
CHAR_PROPERTIES = (
    Property("vowel", "are vowels", ("$v in 'aeiou'", "$v.lower() in 'aeiou'")),
    Property("consonant", "are consonants", ("$v.isalpha() and $v.lower() not in 'aeiou'",)),
    Property("upper", "are uppercase letters", ("$v.isupper()",)),
    Property("lower", "are lowercase letters", ("$v.islower()",)),
    Property("digit", "are digits", ("$v.isdigit()",)),
    Property("letter", "are letters", ("$v.isalpha()",)),
    Property("space", "are spaces", ("$v == ' '",)),
    Property("not_space", "are not spaces", ("$v != ' '",)),
    Property("letter_c", "are equal to '$c'", ("$v == '$c'",)),
    Property("not_c", "differ from '$c'", ("$v != '$c'",)),
)
WORD_PROPERTIES = (
    Property("long", "have more than $k characters", ("len($v) > $k",)),
    Property("short", "have fewer than $k letters", ("len($v) < $k",)),
    Property("of_length", "have length $y", ("len($v) == $y",)),
    Property("longer", "are longer than $y", ("len($v) > $y",)),
    Property("starting", "start with '$c'", ("$v.startswith('$c')", "$v[:1] == '$c'")),
    Property("ending", "end with '$c'", ("$v.endswith('$c')", "$v[-1:] == '$c'")),
    Property("containing", "contain the letter '$c'", ("'$c' in $v",)),
    Property("palindrome", "read the same backwards", ("$v == $v[::-1]",)),
    Property("numeric", "consist of digits", ("$v.isdigit()",)),
    Property("capitalized", "begin with a capital letter", ("$v[:1].isupper()",)),
    Property("even_length", "have an even number of characters", ("len($v) % 2 == 0",)),
)
WORD_CHANGES = (
    Change("upper", "uppercase forms", ("$v.upper()",)),
    Change("lower", "lowercase forms", ("$v.lower()",)),
    Change("reverse", "reversed forms", ("$v[::-1]", "''.join(reversed($v))")),
    Change("capitalize", "capitalized forms", ("$v.capitalize()",)),
    Change("first_letter", "first letters", ("$v[:1]",)),
    Change("last_letter", "last letters", ("$v[-1:]",)),
    Change("repeat", "doubled forms", ("$v + $v", "$v * 2")),
    Change("prefix", "first $k letters", ("$v[:$k]",)),
)

Fill = Callable[[str], str]


def _filling(expr: str) -> Fill:
    return lambda element: expr.replace("$v", element)


def _filter_forms(noun: str, letter: str) -> list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]]:
    """Ways of using a test on every element: result kind, name, phrase with ``%s``, bodies."""
    e = letter
    listing = "strs" if noun == "words" else "ints"
    return [
        (
            listing,
            "filter_%s",
            f"the {noun} in $x that %s|only those {noun} of $x which %s|all {noun} from $x that %s",
            (
                lambda t: f"return [{e} for {e} in $x if {t(e)}]",
                lambda t: f"@o = []\nfor {e} in $x:\n    if {t(e)}:\n        @o.append({e})\nreturn @o",
                lambda t: f"return list(filter(lambda {e}: {t(e)}, $x))",
            ),
        ),
        (
            listing,
            "remove_%s",
            f"$x without the {noun} that %s|the {noun} left in $x after dropping those that %s",
            (
                lambda t: f"return [{e} for {e} in $x if not ({t(e)})]",
                lambda t: f"@o = []\nfor {e} in $x:\n    if {t(e)}:\n        continue\n    @o.append({e})\nreturn @o",
            ),
        ),
        (
            "int",
            "count_%s",
            f"the number of {noun} in $x that %s|how many {noun} of $x %s|the count of {noun} in $x which %s",
            (
                lambda t: f"return sum(1 for {e} in $x if {t(e)})",
                lambda t: f"@n = 0\nfor {e} in $x:\n    if {t(e)}:\n        @n += 1\nreturn @n",
                lambda t: f"return len([{e} for {e} in $x if {t(e)}])",
            ),
        ),
        (
            "bool",
            "all_%s",
            f"True if all {noun} in $x %s, False otherwise|whether all {noun} of $x %s",
            (
                lambda t: f"return all({t(e)} for {e} in $x)",
                lambda t: f"for {e} in $x:\n    if not ({t(e)}):\n        return False\nreturn True",
            ),
        ),
        (
            "bool",
            "any_%s",
            f"True if $x has {noun} that %s, else False|whether at least some {noun} in $x %s",
            (
                lambda t: f"return any({t(e)} for {e} in $x)",
                lambda t: f"for {e} in $x:\n    if {t(e)}:\n        return True\nreturn False",
            ),
        ),
        (
            "int",
            "position_%s",
            f"the index of the first among the {noun} of $x that %s, or -1 if there is none",
            (
                lambda t: f"for @i, {e} in enumerate($x):\n    if {t(e)}:\n        return @i\nreturn -1",
                lambda t: f"for @i in range(len($x)):\n    if {t('$x[@i]')}:\n        return @i\nreturn -1",
            ),
        ),
    ]


def _number_forms() -> list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]]:
    return [
        (
            "int",
            "sum_%s",
            "the sum of the numbers in $x that %s|the total of those values of $x which %s",
            (
                lambda t: f"return sum(@e for @e in $x if {t('@e')})",
                lambda t: f"@t = 0\nfor @e in $x:\n    if {t('@e')}:\n        @t += @e\nreturn @t",
            ),
        ),
        (
            "int",
            "largest_%s",
            "the largest of the values in $x that %s, or None|the maximum of all entries of $x that %s, or None",
            (
                lambda t: f"@o = [@e for @e in $x if {t('@e')}]\nreturn max(@o) if @o else None",
                lambda t: (
                    f"@m = None\nfor @e in $x:\n    if {t('@e')} and (@m is None or @e > @m):\n"
                    "        @m = @e\nreturn @m"
                ),
            ),
        ),
        (
            "int",
            "product_%s",
            "the product of the numbers in $x that %s",
            (lambda t: f"@t = 1\nfor @e in $x:\n    if {t('@e')}:\n        @t *= @e\nreturn @t",),
        ),
    ]


def _text_forms() -> list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]]:
    return [
        (
            "str",
            "keep_%s",
            "the characters of $x that %s, as a string|$x with only the characters that %s",
            (
                lambda t: f"return ''.join(@c for @c in $x if {t('@c')})",
                lambda t: f"@u = ''\nfor @c in $x:\n    if {t('@c')}:\n        @u += @c\nreturn @u",
            ),
        ),
        (
            "str",
            "strip_%s",
            "$x without the characters that %s|a copy of $x in which no characters %s",
            (
                lambda t: f"return ''.join(@c for @c in $x if not ({t('@c')}))",
                lambda t: f"@u = ''\nfor @c in $x:\n    if not ({t('@c')}):\n        @u += @c\nreturn @u",
            ),
        ),
    ]


def _map_forms(kind: str, letter: str) -> list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]]:
    """Ways of using a change on every element."""
    e = letter
    noun = "words" if kind == "strs" else "numbers"
    forms: list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]] = [
        (
            kind,
            "%s_all",
            f"a list of the %s of the {noun} in $x|the list with the %s of all elements of $x",
            (
                lambda t: f"return [{t(e)} for {e} in $x]",
                lambda t: f"@o = []\nfor {e} in $x:\n    @o.append({t(e)})\nreturn @o",
                lambda t: f"return list(map(lambda {e}: {t(e)}, $x))",
            ),
        ),
    ]
    if kind == "ints":
        forms += [
            (
                "int",
                "sum_%s",
                "the sum of the %s of the numbers in $x|the total of the %s of all values of $x",
                (
                    lambda t: f"return sum({t('@e')} for @e in $x)",
                    lambda t: f"@t = 0\nfor @e in $x:\n    @t += {t('@e')}\nreturn @t",
                ),
            ),
            (
                "int",
                "max_%s",
                "the largest among the %s of the entries of $x, or 0 if $x is empty",
                (
                    lambda t: f"if not $x:\n    return 0\nreturn max({t('@e')} for @e in $x)",
                    lambda t: f"return max([{t('@e')} for @e in $x], default=0)",
                ),
            ),
        ]
    else:
        forms.append(
            (
                "str",
                "join_%s",
                "the %s of the words in $x joined by spaces|a string made of the %s of $x",
                (
                    lambda t: f"return ' '.join({t('@w')} for @w in $x)",
                    lambda t: f"@o = []\nfor @w in $x:\n    @o.append({t('@w')})\nreturn ' '.join(@o)",
                ),
            )
        )
    return forms


def _family(
    kind: str,
    element: str,
    pieces: tuple[Property, ...] | tuple[Change, ...],
    forms: list[tuple[str, str, str, tuple[Callable[[Fill], str], ...]]],
) -> list[Recipe]:
    """Cross every test or change with every way of using it."""
    made = []
    for piece in pieces:
        exprs = piece.tests if isinstance(piece, Property) else piece.exprs
        extra = ("int",) if "$y" in piece.words else ()
        part = Part(
            ("is_" if isinstance(piece, Property) else "") + piece.name,
            (element, *extra),
            "bool" if isinstance(piece, Property) else element,
            tuple(f"return {expr}" for expr in exprs)
            + (
                tuple(f"if {expr}:\n    return True\nreturn False" for expr in exprs)
                if isinstance(piece, Property)
                else tuple(f"@q = {expr}\nreturn @q" for expr in exprs)
            ),
        )
        call = "@p($v, $y)" if extra else "@p($v)"
        for out, name, phrases, bodies in forms:
            made.append(
                Recipe(
                    (kind, *extra),
                    out,
                    name.replace("%s", piece.name),
                    tuple(phrase.replace("%s", piece.words) for phrase in phrases.split("|")),
                    tuple(body(_filling(expr)) for expr in exprs for body in bodies),
                    part,
                    tuple(body(_filling(call)) for body in bodies),
                )
            )
    return made


def family_recipes() -> list[Recipe]:
    """Return the recipes made of an element-wise test or change and a way of using it."""
    return [
        *_family("ints", "int", INT_PROPERTIES, _filter_forms("numbers", "@e") + _number_forms()),
        *_family("ints", "int", INT_CHANGES, _map_forms("ints", "@e")),
        *_family("strs", "str", WORD_PROPERTIES, _filter_forms("words", "@w")),
        *_family("strs", "str", WORD_CHANGES, _map_forms("strs", "@w")),
        *_family("str", "str", CHAR_PROPERTIES, _filter_forms("characters", "@c")[2:] + _text_forms()),
    ]
