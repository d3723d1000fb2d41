"""Names and prose for the generated documents: word lists, name pools and sentence templates."""

from __future__ import annotations

import random
from collections.abc import Callable


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NOUNS = _words(
    "apple arrow author bag balance basket batch bell bird block board boat book bottle box brace branch bread bridge "
    "bucket bus button cake camera candle car card case cell chain chair channel chapter circle city class clock cloud "
    "code coin collection color column command company computer corner country course cube cup curve customer cycle "
    "data date day decimal delivery desk diagram difference digit distance doctor door drawer edge employee engine "
    "entry error event exam example face factory family farm field figure file flower folder forest form fraction "
    "friend fruit game garden gate grade graph grid group guest hand hat head height hill home hour house image "
    "index integer interval island item jar job journey key kitchen label ladder lake lamp language leaf length letter "
    "level library light limit line list lock machine map mark market match matrix meal measure member message metal "
    "method minute mirror month moon mountain museum music name neighbor network night note notebook number object "
    "office operation operator orange order output package page pair palace panel paper parcel parenthesis part party "
    "path pattern pencil people person phone picture piece place plan planet plant plate player pocket point pool "
    "position power price printer prize problem product program puzzle quantity queen question queue radio rate record "
    "rectangle region report result river road robot rocket room root row rule sample scale school score screen "
    "section segment sensor sentence sequence series shape shelf ship shop side sign signal size sky song sound source "
    "space speed square stack stage star state station step stone store story street string student sum symbol system "
    "table target task teacher team term text ticket time tower town track train tree triangle turn type unit user "
    "value vector village voice wall water week weight wheel wind window winter wire word worker world year zone"
)
VERBS = _words(
    "add answer apply arrange ask avoid begin bring build buy calculate call carry change check choose collect combine "
    "compare complete compute connect consider contain continue convert copy count cover create cut decide decode "
    "define deliver describe divide draw drop eat encode end enter examine exchange exist extract fill find finish "
    "follow forget form gather give grow guess hide hold ignore include join jump keep know label learn leave lift "
    "list load look make mark match measure meet mix move multiply name need note notice obtain open order pack paint "
    "pass pick place plan plant play prepare print produce push put raise reach read receive record reduce remember "
    "remove repeat replace represent return rotate save search see select sell send separate shift show sort split "
    "start stay stop store subtract swap take test touch trade transform travel turn use visit wait walk want wash "
    "watch win work write"
)
ADJECTIVES = _words(
    "able active ancient available bad basic beautiful best big blue bright broken busy careful central certain cheap "
    "clean clear closed cold common complete complex consecutive constant correct current daily dark decimal deep "
    "different difficult digital direct distinct double dry early easy empty equal even exact extra fair famous fast "
    "final fine first fixed free fresh full funny general given good great green half happy hard heavy hidden high "
    "important inner invalid large last late light local long longest lost loud lower lucky magic main minimum missing "
    "modern natural negative nested new nice next normal odd old open ordinary outer perfect plain popular positive "
    "possible previous prime private proper public quick quiet random rare real red regular remaining rich right round "
    "safe same secret separate sharp short shortest simple single slow small smart smooth soft solid sorted special "
    "square strange strong sweet tall tiny total triple unique unusual upper useful usual valid wet whole wide young"
)
SYLLABLES = _words(
    "ba be bi bo bu ca co cu da de di do du fa fe fi fo ga ge go ha he hi ho ja jo ka ke ki la le li lo lu ma me mi mo "
    "mu na ne ni no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo wa we za ze zo an en in on "
    "ar er or al el il as es is at et it st tr br pl gr sh ch th qu ing ment tion ble ter son der ny ly"
)
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "int": _words(
        "n k m a b x y num number value limit count size amount step length start end low high left right "
        "steps year age total i p q base width height index threshold first second factor maximum z c d t r "
        "max_value min_value digits target level rows columns number_one"
    ),
    "float": _words("x y value number a b amount price rate weight ratio f r height width scale eps distance"),
    "bool": _words("flag enabled active a b is_on ready switch negate strict reverse"),
    "str": _words(
        "s text string word sentence line message name letters phrase t st str1 str2 a b input_text txt token "
        "code key prefix pattern sequence document date first second chars substring input_string n x "
        "encoded brackets title query file_name data"
    ),
    "ints": _words(
        "numbers nums values lst arr array items data xs l a b elements list1 list2 seq sequence nums1 lst1 "
        "scores digits ages prices grid_row weights array1 integers x ints operands int_list heights"
    ),
    "floats": _words("numbers values xs data lst measurements samples floats prices weights points rates a"),
    "strs": _words(
        "words strings lst names items tokens texts lines a b labels lst1 lst2 names_list list1 word_list "
        "planets files keys strs x arr entries titles"
    ),
    "dict": _words("d table counts mapping data scores dictionary prices record stock dct inventory items dict1"),
}
LOCALS: dict[str, tuple[str, ...]] = {
    "e": ("x", "v", "item", "num", "value", "e", "el", "n", "number", "entry", "element"),
    "i": ("i", "j", "idx", "k", "pos", "index", "i", "i"),
    "j": ("j", "k", "m", "step", "other", "d"),
    "t": ("total", "result", "acc", "res", "ans", "s", "answer", "value"),
    "o": ("result", "out", "res", "output", "ans", "kept", "new_list", "collected"),
    "n": ("count", "cnt", "n", "counter", "c", "num", "tally"),
    "c": ("c", "ch", "char", "letter", "x", "symbol"),
    "w": ("word", "w", "token", "part", "item", "s", "x"),
    "m": ("best", "m", "current", "found", "candidate", "result"),
    "d": ("counts", "freq", "d", "table", "result", "seen"),
    "a": ("a", "x", "left", "prev", "p"),
    "b": ("b", "y", "right", "cur", "q"),
    "s": ("seen", "visited", "known", "s"),
    "k": ("key", "k", "name"),
    "u": ("result", "out", "res", "text", "s", "output", "joined"),
    "q": ("rest", "value", "r", "result", "digits"),
    "h": ("part", "first", "temp", "values", "inner", "step", "middle", "tmp"),
}
OPENERS = (
    "Return {}.",
    "Return {}.",
    "Return {}",
    "Returns {}.",
    "Compute {}.",
    "Calculate {}.",
    "Find {}.",
    "Determine {}.",
    "Give back {}.",
    "Given {a}, return {}.",
    "Given {a}, find {}.",
    "Take {a} and return {}.",
    "Create a function that returns {}.",
    "Your task is to return {}.",
    "You get {a}. You need to return {}.",
    "The function takes {a} as input and returns {}.",
    "Implement a function which computes {}.",
    "For {a}, this function should return {}.",
    "You have {a}. Work out {}.",
    "Produce {} for {a}.",
    "Write code that yields {}.",
    "From {a}, get {}.",
)
NOTES = (
    "{x} will hold at most {n} values.",
    "You may assume that the input is valid.",
    "The input is never changed.",
    "The order of the {N} does not matter.",
    "Note that the {N} can be {A}.",
    "Upper and lower case letters differ.",
    "All {N}s are {A} or {A}.",
    "Numbers can be negative.",
    "{x} can be empty.",
    "There will be at least one {N}.",
    "The result does not depend on the {A} {N}.",
    "Do not print anything, return the result instead.",
    "Floating point answers are checked up to {n} decimals.",
    "Try to solve it in a single pass.",
    "It is guaranteed that {x} contains only {A} {N}s.",
    "Spaces count as characters.",
    "Assume 1 <= {x} <= {n}.",
    "Be careful with the {A} cases.",
    "A {N} is called {A} if it has {n} {N}s.",
    "Ties are resolved in favor of the first {N}.",
    "An empty input is allowed.",
    "Every {N} is separated from the next {N} by a {N}.",
)
STORIES = (
    "The {N} of the {A} {N} wants to {V} every {N} before the {N}s {V} it.",
    "In a {A} {N}, there are {n} {N}s and {n} {N}s.",
    "A {N} may {V} the {N}, or {V} a {A} {N}, but not both.",
    "When the {N} is {A}, we {V} the {N}; otherwise we {V} it.",
    "{M} has a {A} {N} with {n} {N}s and needs your help to {V} them.",
    "Each {N} has to {V} exactly {n} {N}s.",
    "Suppose that a {A} {N} can {V} {n} of the {N}s each {N}.",
    "The {A} {N} should not {V} two {N}s that {V} the same {N}.",
    "If there are more than {n} {N}s, the {N} must {V} the {A} one.",
    "We call this the {A} {N} of a {N}.",
    "{M} and {M} {V} a {N} together, and then they {V} the {A} {N}s.",
    "What is left after that is the {A} {N}.",
    "This is often used to {V} {N}s in a {A} {N}.",
    "Your {N} is to {V} it while the {N} is still {A}.",
    "Let us say that {N} number {n} is {A} when its {N} can {V} the others.",
    "Some {N}s are {A}, and some of them are not.",
)
PEOPLE = ("Mira", "Otto", "Lena", "Tariq", "Nadia", "Pavel", "Yuki", "Ines", "Bruno", "Salma", "Kofi", "Greta")
KIND_WORDS: dict[str, tuple[str, ...]] = {
    "int": ("an integer", "a number", "a whole number", "a non-negative integer"),
    "float": ("a float", "a number", "a decimal number"),
    "bool": ("a flag", "a truth value"),
    "str": ("a string", "a text", "a piece of text", "a string of characters"),
    "ints": ("a list of integers", "a list of numbers", "an array of integers", "a list"),
    "floats": ("a list of floats", "a list of numbers", "some measurements"),
    "strs": ("a list of strings", "a list of words", "an array of strings"),
    "dict": ("a dictionary", "a mapping from strings to numbers", "a dictionary of counts"),
}


def pseudo_word(rng: random.Random) -> str:
    """Return an invented word, so that names cannot be guessed and have to be copied."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3, 3))))


def argument_name(rng: random.Random, kind: str) -> str:
    """Return a name for an argument: usual for its kind, a compound of words, invented, or one letter."""
    roll = rng.random()
    if roll < 0.5:
        return rng.choice(ARGUMENTS[kind])
    if roll < 0.62:
        return f"{rng.choice((*ADJECTIVES, *VERBS))}_{rng.choice(NOUNS)}"
    if roll < 0.8:
        return rng.choice(NOUNS) + rng.choice(("", "s", "", "1", "2"))
    if roll < 0.92:
        return pseudo_word(rng)
    return rng.choice("abcdefghklmnpqrstuvwxyz")


def function_name(rng: random.Random, stem: str) -> str:
    """Return a name for the target function, related to its recipe or not."""
    roll = rng.random()
    if roll < 0.4:
        return stem
    if roll < 0.6:
        return f"{rng.choice(('get', 'find', 'compute', 'my', 'do', 'make', 'solve', 'the'))}_{stem}"
    if roll < 0.75:
        return f"{stem}_{rng.choice(NOUNS)}"
    if roll < 0.88:
        return f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    return pseudo_word(rng) + rng.choice(("", "", "_" + pseudo_word(rng)))


def fill(rng: random.Random, template: str, argument: str) -> str:
    """Fill a note or story template with random words; each slot is drawn anew."""
    slots: dict[str, Callable[[], str]] = {
        "{x}": lambda: argument,
        "{n}": lambda: str(rng.randint(2, 120)),
        "{N}": lambda: rng.choice(NOUNS),
        "{V}": lambda: rng.choice(VERBS),
        "{A}": lambda: rng.choice(ADJECTIVES),
        "{M}": lambda: rng.choice(PEOPLE),
    }
    for slot, draw in slots.items():
        while slot in template:
            template = template.replace(slot, draw(), 1)
    return template
