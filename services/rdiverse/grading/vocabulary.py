r"""The words of mathematical text: what means the same, what is a function, what is a letter."""

CHARACTERS = {
    "−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "√": r"\sqrt ", "π": r"\pi ",
    "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ",
    "∓": r"\mp ", "°": r"\degree ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "ω": r"\omega ",
    "∅": r"\emptyset ", "≈": r"\approx ", "∠": r"\angle ", "⁄": "/", "∶": ":", "、": ",", "。": ".", "′": "'", "’": "'",
    "£": r"\pounds ", "€": r"\euro ", "¥": r"\yuan ", "μ": r"\mu ", "φ": r"\phi ", "δ": r"\delta ", "γ": r"\gamma ",
}  # fmt: skip
"""Characters and how LaTeX spells them."""

CHINESE = {
    "千克": "kg", "公斤": "kg", "毫克": "mg", "克": "g", "吨": "tonne", "千米": "km", "公里": "km", "厘米": "cm", "毫米": "mm",
    "分米": "dm", "米": "m", "毫升": "mL", "升": "L", "分钟": "min", "小时": "h", "秒": "s", "天": "day", "年": "year",
    "元": "yuan", "度": "degree", "平方": "square ", "立方": "cubic ",
}  # fmt: skip
"""Units in Chinese, the longer before those that they hold."""

LETTER_FONTS = frozenset([
    r"\mathbf", r"\mathit", r"\mathcal", r"\mathbb", r"\mathsf", r"\mathtt", r"\mathrm", r"\operatorname",
])  # fmt: skip
"""Commands that leave a single letter or a function name what it is."""
FONTS = LETTER_FONTS | {r"\text", r"\textrm", r"\textbf", r"\textit", r"\mbox"}
"""Commands whose argument is text."""

SYNONYMS = {
    "inf": r"\infty", "...": r"\dots", "infinity": r"\infty", "oo": r"\infty", r"\cdots": r"\dots", r"\ldots": r"\dots",
    r"\times": "*", r"\cdot": "*", r"\ast": "*", r"\div": "/", "**": "^", r"\leq": r"\le", r"\geq": r"\ge",
    r"\leqslant": r"\le", r"\geqslant": r"\ge", "<=": r"\le", ">=": r"\ge", r"\lt": "<", r"\gt": ">", r"\neq": r"\ne",
    "!=": r"\ne", r"\%": "%",
}  # fmt: skip
"""One spelling for tokens that mean the same."""

FUNCTIONS = {
    r"\sin": "sin", r"\cos": "cos", r"\tan": "tan", r"\cot": "cot", r"\sec": "sec", r"\csc": "csc",
    r"\arcsin": "asin", r"\arccos": "acos", r"\arctan": "atan", r"\asin": "asin", r"\acos": "acos", r"\atan": "atan",
    r"\sinh": "sinh", r"\cosh": "cosh", r"\tanh": "tanh", r"\ln": "ln", r"\log": "ln", r"\lg": "lg", r"\exp": "exp",
    r"\abs": "abs", r"\floor": "floor", r"\ceil": "ceil",
}  # fmt: skip
"""Commands that apply to what follows."""

WORDS = frozenset(name.lstrip("\\") for name in FUNCTIONS) | {"sqrt", "pi", "inf", "infinity", "oo", "binom"}
"""Words that mean something without a backslash."""

GREEK = frozenset([
    "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
    "ell", "hbar", "infty", "mho", "nabla", "partial",
])  # fmt: skip
"""Commands that are letters."""

ACCENTS = frozenset(["\\" + name for name in ("dot", "ddot", "hat", "bar", "vec", "tilde", "overline", "widehat", "underline")])
"""Commands that make another letter of a letter."""

KNOWN = (
    frozenset(FUNCTIONS) | ACCENTS | FONTS | {"\\" + letter for letter in GREEK}
    | frozenset([
        r"\frac", r"\sqrt", r"\binom", r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\begin", r"\end", r"\degree",
        r"\le", r"\leq", r"\leqslant", r"\ge", r"\geq", r"\geqslant", r"\lt", r"\gt", r"\ne", r"\neq", r"\in", r"\approx",
        r"\equiv", r"\cup", r"\cap", r"\setminus", r"\emptyset", r"\pm", r"\mp", r"\cdot", r"\times", r"\div", r"\ast",
        r"\angle", r"\prime", r"\circ", r"\dots", r"\ldots", r"\cdots",
    ])
)  # fmt: skip
"""Every command that the parser knows: with these alone, what it cannot read is not well-formed."""
