r"""What each role is told. Written for instruction-following models; a configuration may replace any of it.

The Challenger's completion carries `<question>...</question>` and a `\boxed{}` answer, the Solver's a `\boxed{}` answer,
the coder's one function inside `<code>...</code>`. `{question}` stands for the question.
"""

from dataclasses import dataclass
from typing import NamedTuple

PLACEHOLDER = "{question}"


class RenderedPrompt(NamedTuple):
    """Ready for a chat template, or to be joined by a newline where the tokenizer has none."""

    system: str
    user: str


@dataclass(frozen=True)
class PromptTemplate:
    """Instructions and the user's turn, either of which may hold `{question}`."""

    system: str
    user: str

    def render(self, question: str = "") -> RenderedPrompt:
        """Put the question in, by plain replacement: braces in a question are text."""
        return RenderedPrompt(self.system.replace(PLACEHOLDER, question), self.user.replace(PLACEHOLDER, question))


CHALLENGER = PromptTemplate(
    system=(
        "You set problems for a mathematics contest. Think of one new problem that a strong student solves about half of "
        "the time: it needs several steps, has exactly one answer, and that answer is a number or a short expression. "
        "State everything that is needed to solve it. Work out the answer before you finish. Write the problem, and "
        "nothing else, between <question> and </question>; after it give your final answer inside \\boxed{}."
    ),
    user="Write one new problem now, in the format described. Do not explain why you chose it.",
)

SOLVER = PromptTemplate(
    system="Solve the problem step by step. End with your final answer, and only that, inside \\boxed{}.",
    user=PLACEHOLDER,
)

CODER = PromptTemplate(
    system=(
        "You turn a problem into the one Python function that computes its answer.\n"
        "- Name it `solver`. Every number stated in the problem becomes a parameter with that number as its default: "
        "n1, n2, ... in the order they appear.\n"
        "- The body is the computation alone, in its most direct form. Call intermediate values x, y, z. No comments, no "
        "docstring, no printing, no names from the story.\n"
        "- Something to be proved becomes a function that returns whether it holds.\n"
        "- Where the problem is flawed or ambiguous, take its most likely meaning; never refuse.\n"
        "- Answer with the function between <code> and </code> and with nothing outside.\n"
        "Example. Problem: A tank holds 40 litres and loses 3 litres an hour. How much is left after 5 hours?\n"
        "<code>\ndef solver(n1=40, n2=3, n3=5):\n    return n1 - n2 * n3\n</code>"
    ),
    user=f"Problem: {PLACEHOLDER}",
)
