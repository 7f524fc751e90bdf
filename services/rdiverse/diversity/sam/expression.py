"""What a function computes, as one expression over V (what comes from outside) and C (constants)."""

import ast
import hashlib
from collections.abc import Sequence

from rdiverse.selfplay.programs import ProgramError

MAX_NODES = 5000
"""Inlining doubles what is used twice; an expression larger than this is none."""

_COMMUTATIVE = frozenset({"Add", "Mult", "BitAnd", "BitOr", "BitXor", "Eq", "NotEq", "And", "Or", "max()", "min()"})
_MIRRORED = {"Gt": "Lt", "GtE": "LtE"}


class Expression:
    """An immutable tree whose subtrees are shared. `nodes` counts it as written out."""

    __slots__ = ("children", "digest", "label", "nodes")

    def __init__(self, label: str, children: Sequence["Expression"] = ()) -> None:
        if label in _MIRRORED:
            label, children = _MIRRORED[label], children[::-1]
        if label in _COMMUTATIVE:
            children = sorted(children, key=lambda child: child.digest)
        self.label = label
        self.children = tuple(children)
        self.nodes: int = 1 + sum(child.nodes for child in self.children)
        if self.nodes > MAX_NODES:
            raise ProgramError(f"the returned expression has more than {MAX_NODES} nodes")
        written = "\x1f".join([label, *(child.digest for child in self.children)])
        self.digest: str = hashlib.blake2b(written.encode(), digest_size=12).hexdigest()


VARIABLE = Expression("V")
CONSTANT = Expression("C")

_Names = dict[str, Expression]


def returned_expression(function: ast.FunctionDef) -> Expression:
    """The value of a function as one expression: straight lines inlined, branches joined, loops kept as loops.

    Raises ProgramError when the function returns nothing.
    """
    parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    try:
        found = _run(function.body, {parameter.arg: VARIABLE for parameter in parameters})
    except RecursionError as error:
        raise ProgramError("the function nests too deeply") from error
    if found is None:
        raise ProgramError("the function returns nothing")
    return found


def _run(body: Sequence[ast.stmt], names: _Names) -> Expression | None:
    """Follow statements, keeping in `names` what each name stands for. Gives what is returned, None when the end is reached."""
    for position, statement in enumerate(body):
        match statement:
            case ast.Return(value=value):
                return CONSTANT if value is None else _read(value, names)
            case ast.If(test=test, body=then, orelse=otherwise):
                condition = _read(test, names)
                rest = body[position + 1 :]
                one, other = dict(names), dict(names)
                first, second = _run(then, one), _run(otherwise, other)
                if first is None and second is None:
                    _join(names, one, other, condition, _stored([*then, *otherwise]))
                    continue
                # One side leaves: what follows belongs to the other.
                first = first if first is not None else _run(rest, one)
                second = second if second is not None else _run(rest, other)
                return Expression("If", [condition, first or CONSTANT, second or CONSTANT])
            case ast.For(target=target, iter=source, body=inner):
                found = _loop("For", _read(source, names), [target], inner, names)
            case ast.While(test=test, body=inner):
                found = _loop("While", _read(test, names), [], inner, names)
            case ast.With(body=inner) | ast.Try(body=inner):
                found = _run(inner, names)
            case _:
                _assign(statement, names)
                continue
        if found is not None:
            rest_value = _run(body[position + 1 :], names)
            return found if rest_value is None else Expression("If", [CONSTANT, found, rest_value])
    return None


def _join(names: _Names, one: _Names, other: _Names, condition: Expression, changed: set[str]) -> None:
    for name in changed:
        names[name] = Expression("If", [condition, one.get(name, VARIABLE), other.get(name, VARIABLE)])


def _loop(
    kind: str, source: Expression, targets: Sequence[ast.expr], body: Sequence[ast.stmt], names: _Names
) -> Expression | None:
    """A loop is one round of its body over what came in: names that the round changes become loop(source, before, after)."""
    inside = dict(names)
    changed = _stored(body)
    for name in changed | _stored(targets):
        inside[name] = VARIABLE
    found = _run(body, inside)
    for name in sorted(changed):
        names[name] = Expression(kind, [source, names.get(name, VARIABLE), inside.get(name, VARIABLE)])
    return None if found is None else Expression(kind, [source, found])


def _stored(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that are written to."""
    every = (node for root in nodes for node in ast.walk(root))
    return {node.id for node in every if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _assign(statement: ast.stmt, names: _Names) -> None:
    match statement:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                _bind(target, value, names)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            _bind(target, value, names)
        case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
            names[name] = Expression(type(operator).__name__, [names.get(name, VARIABLE), _read(value, names)])
        case ast.FunctionDef(name=name):
            names[name] = Expression("Function", [returned_expression(statement)])
        case _:  # pass, import, a bare call: nothing that is returned changes
            return


def _bind(target: ast.expr, value: ast.expr, names: _Names) -> None:
    match target, value:
        case ast.Name(id=name), _:
            names[name] = _read(value, names)
        case ((ast.Tuple(elts=left) | ast.List(elts=left)), (ast.Tuple(elts=right) | ast.List(elts=right))) if len(left) == len(
            right
        ):
            values = [_read(part, names) for part in right]
            for part, expression in zip(left, values, strict=True):
                if isinstance(part, ast.Name):
                    names[part.id] = expression
        case _:
            whole = Expression("Part", [_read(value, names)])
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    names[node.id] = whole


def _read(node: ast.AST, names: _Names) -> Expression:  # noqa: C901, PLR0911  one case a kind of node
    match node:
        case ast.Constant():
            return CONSTANT
        case ast.Name(id=name):
            return names.get(name, VARIABLE)
        case ast.BinOp(left=left, op=operator, right=right):
            return Expression(type(operator).__name__, [_read(left, names), _read(right, names)])
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
            return CONSTANT
        case ast.UnaryOp(op=operator, operand=operand):
            return Expression(type(operator).__name__, [_read(operand, names)])
        case ast.BoolOp(op=operator, values=values):
            return Expression(type(operator).__name__, [_read(value, names) for value in values])
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return Expression(type(operator).__name__, [_read(left, names), _read(right, names)])
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return _call(function, [*arguments, *(keyword.value for keyword in keywords)], names)
        case ast.IfExp(test=test, body=then, orelse=otherwise):
            return Expression("If", [_read(test, names), _read(then, names), _read(otherwise, names)])
        case ast.expr_context() | ast.operator() | ast.cmpop() | ast.unaryop() | ast.boolop():
            return Expression(type(node).__name__)
        case _:
            return Expression(
                type(node).__name__,
                [_read(child, names) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr_context)],
            )


def _call(function: ast.expr, arguments: Sequence[ast.expr], names: _Names) -> Expression:
    """A call is named by what it calls, with or without its module: math.sqrt and sqrt are one."""
    values = [_read(argument, names) for argument in arguments]
    match function:
        case ast.Name(id=name) if name not in names:
            return Expression(f"{name}()", values)
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner not in names:
            return Expression(f"{name}()", values)
        case ast.Attribute(value=owner, attr=name):
            return Expression(f"{name}()", [_read(owner, names), *values])
        case _:
            return Expression("Call", [_read(function, names), *values])
