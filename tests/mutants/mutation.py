"""Choose the small changes of a module to try: a sample, fixed by a seed, of places with executable code."""

import ast
import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

Position = tuple[int, int]  # line and column
Span = tuple[Position, Position]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """The change that an operator of Cosmic Ray makes at one of the places where it applies."""

    span: Span
    operator: str
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change."""

    line: int
    source: str


def find_changes(source: str, functions: Iterable[str] = ()) -> Iterator[Change]:
    """Yield each change of a module that Cosmic Ray knows, within the functions if any are named.

    Type declarations are left out: nothing that runs depends on them.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    tree, nodes, lines = ast.parse(source), list(ast_nodes(get_ast(source))), source.splitlines()
    declared, chosen = list(find_declarations(tree)), find_functions(tree, functions)
    for name in sorted(operator_names()):
        if name == "core/NoOp" or get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        spans = [span for node in nodes for span in operator.mutation_positions(node)]
        for occurrence, span in enumerate(spans):
            line, column = span[0]
            if lines[line - 1].startswith("*,", column):  # keyword-only parameters, which all calls pass by name
                continue
            if any(holds(each, span[0]) for each in chosen) and not any(holds(each, span[0]) for each in declared):
                yield Change(span=span, operator=name, occurrence=occurrence)


def shuffle(changes: Iterable[Change], seed: str) -> list[Change]:
    """Return the changes in an order fixed by the seed: first one of each place, then a second of each."""
    places: dict[Span, list[Change]] = {}
    for each in sorted(changes):
        places.setdefault(each.span, []).append(each)
    order = random.Random(seed)  # noqa: S311  # keeps no secret
    groups = [order.sample(group, len(group)) for group in places.values()]
    order.shuffle(groups)
    return [each for taken in zip_longest(*groups) for each in taken if each is not None]


def make_mutants(source: str, changes: Iterable[Change], most: int) -> Sequence[Mutant]:
    """Return the first mutants that compile and differ from each other, in the order of their lines."""
    made: dict[str, Mutant] = {}
    for each in changes:
        if len(made) == most:
            break
        mutated = _mutate(source, each)
        if mutated != source and _compiles(mutated):
            made.setdefault(mutated, Mutant(line=each.span[0][0], source=mutated))
    return sorted(made.values(), key=lambda mutant: mutant.line)


def _mutate(source: str, change: Change) -> str:
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    mutated: str | None = mutate_code(source, get_operator(change.operator)(), change.occurrence)
    return source if mutated is None else mutated


def find_declarations(tree: ast.Module) -> Iterator[Span]:
    """Yield the places of declarations: annotations, imports for type checkers, the arguments of @dataclass."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield _span(node)
        if isinstance(node, ast.ClassDef):
            yield from map(_span, filter(_declares, node.decorator_list))
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                yield _span(annotation)


def find_functions(tree: ast.Module, names: Iterable[str]) -> list[Span]:
    """Return the places of functions (a method is named `Class.method`); the whole module if no name is given.

    Raises:
        ValueError: naming the functions that the module does not have.
    """
    wanted = frozenset(names)
    if not wanted:
        return [((0, 0), (tree.body[-1].end_lineno or 0, 1 << 20))]
    found = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            found |= {f"{each.name}.{inner.name}": inner for inner in each.body if isinstance(inner, ast.FunctionDef)}
    if missing := wanted - found.keys():
        raise ValueError(f"no function {', '.join(sorted(missing))}")
    return [_span(found[name]) for name in sorted(wanted)]


def holds(span: Span, position: Position) -> bool:
    """Say whether a position is in a span."""
    return span[0] <= position < span[1]


def _declares(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "dataclass"


def _span(node: ast.AST) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about a comparison by identity
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
