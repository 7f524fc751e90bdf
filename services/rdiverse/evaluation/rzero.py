r"""Scores responses as R-Zero's evaluation scripts do, so that published numbers can be compared like with like.

Written after the behaviour of `evaluation/datasets_loader.py`, `eval_mmlupro.py`, `eval_supergpqa.py` and `eval_bbeh.py` of
R-Zero (arXiv 2508.05004). Its known misjudgements are kept (docs/method.md, "The paper's numbers"):

- the answer is cut by a greedy expression: from the first `\boxed{` to the last `}` of that line;
- gold and answer go to math-verify bare, where `3\sqrt{13}` is read as 3;
- a response without a box answers "None", which is parsed like any other;
- of a multiple choice, the first of A to J that occurs anywhere in the solution is the answer, also within a word;
- without one, a letter is drawn at random. Here it comes from a digest of the response, so that a table can be made again.
"""

import hashlib
import re
from functools import lru_cache

from rdiverse.evaluation.answers import Response
from rdiverse.evaluation.items import BenchmarkItem, Kind
from rdiverse.grading.workers import WorkerPool

_LETTERS = "ABCDEFGHIJ"
_GREEDY_BOX = re.compile(r"\\boxed\s*\{([^\n]+)\}", re.IGNORECASE)
_BOX = re.compile(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_SAID = tuple(re.compile(rf"{prefix}:((?:[^<]|<[^<])*?)\n") for prefix in ("Final Answer", "The answer is"))
_ANNOUNCED = ("The answer is:", "The final answer is ", "The final answer is: ", "The answer is ")
_STOPS = ("</s>", "<|im_end|>", "<|endoftext|>")


class RZeroScorer:
    """R-Zero's verdicts. Its symbolic check runs in processes that can be killed; one that takes too long says no."""

    def __init__(self, workers: WorkerPool) -> None:
        """An answer that is given often is compared once."""
        self._verified = lru_cache(65_536)(lambda gold, answer: workers.ask("verify", gold, answer) is True)

    def __call__(self, item: BenchmarkItem, response: Response) -> bool:
        """Whether R-Zero's scripts would call the response right."""
        if item.kind is Kind.CHOICE:
            return chosen_letter(response.text) == item.answer
        if item.kind is Kind.TEXT:
            return _bbeh_matches(extracted_solution(response.text) or "", item.answer)
        return self._verified(item.answer, extracted_answer(response.text) or "None")


def extracted_answer(response: str) -> str | None:
    """The mathematical answer as R-Zero cuts it out."""
    found = _GREEDY_BOX.search(response)
    return found.group(1) if found else None


def extracted_solution(response: str) -> str | None:
    """What R-Zero takes for the answer to a general question: the last box, else what follows an announcement on its line."""
    text = response.rpartition("Assistant:")[2] if "Assistant:" in response else response
    for stop in _STOPS:
        text = text.partition(stop)[0]
    boxes = _BOX.findall(text)
    if boxes and boxes[-1]:
        return str(boxes[-1])
    for said in _SAID:
        found = said.findall(text)
        if found:
            return str(found[-1])
    return None


def chosen_letter(response: str) -> str:
    """The option that R-Zero reads, or makes up."""
    solution = extracted_solution(response) or ""
    drawn = _LETTERS[hashlib.sha256(response.encode()).digest()[0] % len(_LETTERS)]
    return next((letter for letter in _LETTERS if letter in solution), drawn)


def _bbeh_matches(solution: str, gold: str) -> bool:
    """BBEH's own fuzzy match, which R-Zero applies to what it cut out."""
    answer = solution.strip()
    for announced in _ANNOUNCED:
        if announced in answer:
            answer = answer.rpartition(announced)[2].strip()
    answer = (
        _unwrapped(answer.removesuffix(".")).lower().replace(", ", ",").replace("**", "").partition("\n")[0].removesuffix(".")
    )
    gold = gold.strip().lower().replace(", ", ",")
    return answer == gold or _loosely(answer, gold)


def _loosely(answer: str, gold: str) -> bool:
    if len(answer) == 3 and answer.startswith("(") and answer.endswith(")"):
        return answer[1] == gold
    if len(gold) == 3 and gold.startswith("(") and gold.endswith(")"):
        return gold[1] == answer
    try:
        if float(answer) == float(gold):
            return True
    except ValueError:
        pass  # not both are numbers: the other rules decide
    return answer.replace("'", "") == gold.replace("'", "") or answer in {f"[{gold}]", f"{gold}?"} or gold == f"[{answer}]"


def _unwrapped(text: str) -> str:
    if len(text) > 1 and text.startswith("$") and text.endswith("$"):
        text = text[1:-1]
    for command in ("boxed{", "text{", "texttt{"):
        if command in text and text.endswith("}"):
            text = text[:-1].split(command)[1]
    return text
