"""Which small changes of a module are tried: a sample that a seed fixes, of places where the program does something."""

import ast
import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

Position = tuple[int, int]  # line and column
Span = tuple[Position, Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change."""

    operator: str
    span: Span
    source: str


def find_mutants(source: str, functions: Iterable[str] = ()) -> Iterator[Mutant]:
    """Yield each change that an operator of Cosmic Ray makes to a module, within the functions if any are named.

    What declares types is left out: nothing that runs depends on it.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    tree, seen = ast.parse(source), {source}
    declared, chosen = list(find_declarations(tree)), find_functions(tree, functions)
    for name in sorted(operator_names()):
        if name == "core/NoOp" or get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        spans = [span for node in ast_nodes(get_ast(source)) for span in operator.mutation_positions(node)]
        for occurrence, span in enumerate(spans):
            if any(holds(each, span[0]) for each in declared) or not any(holds(each, span[0]) for each in chosen):
                continue
            mutated = mutate_code(source, operator, occurrence)
            if mutated is not None and mutated not in seen and _compiles(mutated):
                seen.add(mutated)
                yield Mutant(operator=name, span=span, source=mutated)


def choose(mutants: Iterable[Mutant], most: int, seed: str) -> Sequence[Mutant]:
    """Return a sample, in the order of the lines: one change of each place first, then a second of each."""
    places: dict[Span, list[Mutant]] = {}
    for each in mutants:
        places.setdefault(each.span, []).append(each)
    order = random.Random(seed)  # noqa: S311  # keeps no secret
    groups = [order.sample(group, len(group)) for _, group in sorted(places.items())]
    order.shuffle(groups)
    rounds = [each for taken in zip_longest(*groups) for each in taken if each is not None]
    return sorted(rounds[:most], key=lambda each: (each.span, each.operator, each.source))


def find_declarations(tree: ast.Module) -> Iterator[Span]:
    """Yield where types are declared: annotations, what only a type checker imports, the arguments of @dataclass."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield _span(node)
        if isinstance(node, ast.ClassDef):
            yield from map(_span, filter(_declares, node.decorator_list))
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                yield _span(annotation)


def find_functions(tree: ast.Module, names: Iterable[str]) -> list[Span]:
    """Return where functions and methods are; the whole module if no name is given.

    Raises:
        ValueError: naming those that the module does not have.
    """
    missing = wanted = frozenset(names)
    if not wanted:
        return [((0, 0), (len(ast.unparse(tree)) * 2, 0))]
    spans = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            spans.append(_span(node))
            missing -= {node.name}
    if missing:
        raise ValueError(f"no function {', '.join(sorted(missing))}")
    return spans


def holds(span: Span, position: Position) -> bool:
    """Say whether a position is in a span."""
    return span[0] <= position < span[1]


def _declares(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "dataclass"


def _span(node: ast.AST) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _compiles(source: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a comparison by identity
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
