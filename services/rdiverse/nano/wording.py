"""The words of the nano world: several sentences for every operation, with slots for names, things and numbers.

In a template `p` and `q` are people, `o` things, `w` containers, and `#` the operation's next number. No two operations
have a sentence in common, and sentences of different operations differ in two words at least (a test holds them to it).
"""

# fmt: off
PEOPLE = (
    "Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon",
    "Kim", "Leo", "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tara", "Uma",
)
THINGS = (
    "apples", "pears", "plums", "nuts", "eggs", "rolls", "cards", "coins", "stamps", "books",
    "pens", "beads", "shells", "stones", "marbles", "buttons", "flowers", "ribbons", "keys", "tickets",
)
CONTAINERS = ("boxes", "bags", "baskets", "jars", "crates", "trays", "bowls", "chests", "tins", "sacks")
# fmt: on

SLOTS = {"p": PEOPLE, "q": PEOPLE, "o": THINGS, "w": CONTAINERS}
NUMBER = "#"

STATEMENTS: dict[str, tuple[str, ...]] = {
    "sum": (
        "p has # o and q has # .",
        "There are # o in one place and # in another .",
        "p finds # o today and # tomorrow .",
        "One shelf holds # o above and # below .",
    ),
    "product": (
        "p fills # w with # o each .",
        "There are # w and every one holds # o .",
        "p lays # rows of # o .",
        "One farm packs # w , # o in each of them .",
    ),
    "difference": (
        "p had # o and lost # .",
        "Of # o in the shop # were sold .",
        "p picks # o but eats # .",
        "One tree held # o until # fell down .",
    ),
    "batch": (
        "p owns # o and buys # w of # .",
        "p starts with # o and earns # per day for # days .",
        "One desk has # o beside # w holding # each .",
    ),
    "larger": (
        "p offers # o or # , whichever is larger .",
        "Two piles hold # and # o and only the bigger one counts .",
        "p scores # , q scores # , and the better score stays .",
    ),
    "gap": (
        "p saw # o , q saw # , and we want how far apart they are .",
        "The o numbered # and # lie this far apart .",
        "One team has # o , the other # , and the lead is noted .",
    ),
    "more": (
        "Then p adds # .",
        "Later # more o arrive .",
        "After that p brings # extra o .",
        "One guest leaves # as a gift .",
    ),
    "fewer": (
        "Then p takes # away .",
        "Later # of them break .",
        "After that p gives # to q .",
        "One thief steals # at night .",
    ),
    "times": (
        "Then it becomes # times as many .",
        "The number grows by a factor of # .",
        "p repeats all this until # such sets exist .",
        "Each of them turns into # .",
    ),
    "share": (
        "They are shared fairly by # friends and p counts one share .",
        "Then p splits them into # equal parts and keeps one .",
        "Only one out of every # stays .",
    ),
    "leftover": (
        "They go into w of # and only the rest stays outside .",
        "p stacks groups of # and counts what is left over .",
        "Teams of # leave and those without a team remain .",
    ),
    "at-least": (
        "If that is less than # , p refills to that number .",
        "p makes sure that at least # are there .",
        "The rules round anything below # up to it .",
    ),
    "distance": (
        "p only notes how far this is from # .",
        "The target was # and the error is what counts .",
        "Compared with # o we keep the difference .",
    ),
    "missing": (
        "p needs # in all and counts those still missing .",
        "There is room for # and the empty places are counted .",
        "Someone wants # o , so we keep what has yet to come .",
    ),
}
QUESTIONS: tuple[str, ...] = (
    "How many o are there now ?",
    "How many is that in the end ?",
    "What number does p write down ?",
    "What is the result ?",
)


def words() -> list[str]:
    """Every word and mark of the sentences, sorted; numbers are not among them."""
    literal = {token for templates in (*STATEMENTS.values(), QUESTIONS) for text in templates for token in text.split()}
    return sorted((literal - {*SLOTS, NUMBER}) | {filler for fillers in SLOTS.values() for filler in fillers})
