"""Which functions and methods of a file of tests are run, and how: as pytest and unittest would run them.

Only trusted syntax comes here. Every function ``test...`` is called, and every method ``test...`` of a test class: with the
values of ``pytest.mark.parametrize``, in an event loop where it is ``async``, as what its decorators made of it. What only a
test runner gives (fixtures, marks that skip) is not run here, and a file that has it is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from codeduet.envs.errors import InputError
from codeduet.envs.execution.counting import METHOD, TEST, methods_of_classes
from codeduet.envs.execution.scope import Scope, names_in

NOT_PLAIN = "its test {} is not defined by a plain def at the top level, and would not be run"

Function = ast.FunctionDef | ast.AsyncFunctionDef

_ROW = "__codeduet_row_"
_SKIPPING = ("skip", "skipif", "xfail", "usefixtures")
_HOOKS = ("setup_module", "teardown_module", "setup_function", "teardown_function")
"""Functions that only pytest calls."""

_Parameters = list[tuple[ast.expr, list[str], bool]]
"""Of each ``parametrize``: the list, the names, and whether an item of it is the value itself, of a single name."""


def statements_of(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a file, those of its main block among them.

    Calls of a test runner give 0 in them, as here is who runs tests, and a statement that would end the file by
    ``sys.exit`` does not.
    """
    _Silenced(tree).visit(tree)
    body: list[ast.stmt] = []
    for node in tree.body:
        main = isinstance(node, ast.If) and "__name__" in names_in(node.test)
        body += map(_staying, node.body if isinstance(node, ast.If) and main else [node])
    return body


class _Silenced(ast.NodeTransformer):
    """Puts 0 where a test runner is called."""

    def __init__(self, tree: ast.Module) -> None:
        self._modules: set[str] = set()
        self._functions: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._modules |= {
                    each.asname or each.name for each in node.names if each.name in ("unittest", "pytest")
                }
            elif isinstance(node, ast.ImportFrom) and node.module in ("unittest", "pytest"):
                self._functions |= {each.asname or each.name for each in node.names if each.name == "main"}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=ast.Name(id=name), attr="main") if name in self._modules:
                return ast.copy_location(ast.Constant(0), node)
            case ast.Name(id=name) if name in self._functions:
                return ast.copy_location(ast.Constant(0), node)
        return node


def _staying(statement: ast.stmt) -> ast.stmt:
    """Return a statement that does not leave the file: the argument of ``sys.exit(...)`` for the call."""
    match statement:
        case (
            ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Name(id="sys"), attr="exit") | ast.Name(id="exit" | "quit"), args=args
                )
            )
            | ast.Raise(exc=ast.Call(func=ast.Name(id="SystemExit"), args=args))
        ):
            return ast.copy_location(ast.Expr(args[0] if args else ast.Constant(0)), statement)
    return statement


def calls_of_tests(body: Sequence[ast.stmt], scope: Scope) -> list[ast.stmt]:
    """Return statements that run the tests of a file that it does not run itself, of those that look at the target.

    Args:
        body: the file's statements.
        scope: what hangs on the target in them.

    Raises:
        InputError: one of them cannot be run as it would be by a test runner; the message names it.
    """
    functions = {node.name: node for node in body if isinstance(node, Function)}
    roots = [node for node in body if not isinstance(node, Function)]
    called, mentioned = (reached_from(roots, functions, how) for how in (_called_in, names_in))
    calls = []
    for name, function in functions.items():
        decorators = [_dotted(each) for each in function.decorator_list]
        if "fixture" in {each.split(".")[-1] for each in decorators}:
            _refuse_autouse(function)
        elif name.startswith("test") and name not in called and name in scope.looks:
            if name in mentioned and _needed(function):  # handed to who calls it
                continue
            calls.append(_call_of(function, ast.Name(name, ast.Load()), name))
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    for owner, name in methods_of_classes(ast.Module(list(body), [])):
        if owner in scope.looks:
            method = _methods(owner, classes)[name]
            _refuse_class(classes[owner])
            calls.append(_call_of(method, ast.Name(owner, ast.Load()), f"{owner}.{name}", bound=True))
    if calls and (hook := next((name for name in _HOOKS if name in functions), "")):
        raise InputError(f"its {hook} is called by pytest alone: put what it does into the tests")
    return calls


def reached_from(
    roots: Iterable[ast.AST], functions: Mapping[str, ast.AST], how: Callable[[ast.AST], AbstractSet[str]] = names_in
) -> set[str]:
    """Return the names of the functions that ``roots`` reach, by way of others too; ``how`` gives the names in a node."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        for name in how(waiting.pop()) & functions.keys() - reached:
            reached.add(name)
            waiting.append(functions[name])
    return reached


def _called_in(node: ast.AST) -> set[str]:
    calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def beside_check(tree: ast.Module, check: str, target: str) -> str:
    """Return the name of a test that stands beside ``check(candidate)``, asks the target, and is run by nothing."""
    functions = {node.name: node for node in tree.body if isinstance(node, Function | ast.ClassDef)}
    roots: list[ast.AST] = [node for node in tree.body if not isinstance(node, Function | ast.ClassDef)]
    reached = reached_from([functions[check], *roots], functions)
    tests = [name for name, node in functions.items() if isinstance(node, Function) and name.startswith("test")]
    tests += [owner for owner, _ in methods_of_classes(tree)]
    for name in tests:
        if name not in reached and target in names_in(functions[name]) and check not in names_in(functions[name]):
            return name
    return ""


def _call_of(function: Function, callee: ast.expr, name: str, *, bound: bool = False) -> ast.stmt:
    """Return a statement that runs a test, in a loop over its parameters where it has some."""
    parameters, decorated = _parameters(function, name)
    if _yields(function):
        raise InputError(f"its test {name} is a generator, of which nothing would run")
    _check_arguments(function, {each for _, names, _ in parameters for each in names}, name, decorated, bound=bound)
    is_async = isinstance(function, ast.AsyncFunctionDef)
    if not (bound or parameters or is_async or function.decorator_list):  # which may be several tests
        return ast.Expr(ast.Call(callee, [], []))
    rows: list[ast.expr] = [
        ast.Tuple([ast.Constant(single), _names(names), ast.Name(f"{_ROW}{place}__", ast.Load())], ast.Load())
        for place, (_, names, single) in enumerate(parameters)
    ]
    arguments = [callee, ast.Constant(function.name), *rows]
    run: ast.stmt = ast.Expr(ast.Call(ast.Name(METHOD if bound else TEST, ast.Load()), arguments, []))
    for place, (values, _, _) in enumerate(parameters):  # the first mark's values vary fastest
        run = ast.For(ast.Name(f"{_ROW}{place}__", ast.Store()), values, [run], [])
    return run


def _parameters(function: Function, name: str) -> tuple[_Parameters, bool]:
    """Take ``parametrize`` off a function; return what it says, and whether a decorator is left that may give arguments.

    Raises:
        InputError: a mark is one that is not run here.
    """
    known: tuple[_Parameters, bool] | None = getattr(function, "codeduet_parameters", None)
    if known is not None:  # a method that several classes inherit
        return known
    parameters: _Parameters = []
    left: list[ast.expr] = []
    decorated = False
    for decorator in function.decorator_list:
        *owner, last = _dotted(decorator).split(".")
        marked = bool(owner) and owner[-1] == "mark"
        if marked and last in _SKIPPING:
            raise InputError(
                f"its test {name} is marked {last}, which is not run here: take the test out, or the mark off"
            )
        if marked and last == "parametrize" and isinstance(decorator, ast.Call):
            parameters.append(_parametrized(decorator, name))
        else:
            left.append(decorator)
            decorated |= not marked and last not in ("staticmethod", "classmethod")
    function.decorator_list = left
    function.codeduet_parameters = parameters, decorated  # type: ignore[union-attr]
    return parameters, decorated


def _parametrized(mark: ast.Call, name: str) -> tuple[ast.expr, list[str], bool]:
    options = {option.arg: option.value for option in mark.keywords}
    parts = [*mark.args, *(options[key] for key in ("argnames", "argvalues") if key in options)]
    if len(parts) < 2 or options.keys() - {"argnames", "argvalues", "ids"}:  # indirect, say: by fixtures
        raise InputError(
            f"its test {name} is parametrized in a way that is not run here: give names, a list and ids only"
        )
    names: list[str] = []
    match parts[0]:
        case ast.Constant(value=str(text)):
            names = [each.strip() for each in text.split(",") if each.strip()]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            names = [each.value for each in elements if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if not names:
        raise InputError(f"its test {name} is parametrized by names that do not stand there as text")
    return parts[1], names, isinstance(parts[0], ast.Constant) and len(names) == 1


def _check_arguments(function: Function, given: set[str], name: str, decorated: bool, *, bound: bool) -> None:
    """Raise InputError where a test takes what nothing gives it; a decorator of another kind may give anything."""
    if decorated:
        return
    static = any(_dotted(each) == "staticmethod" for each in function.decorator_list)
    missing = [each for each in _needed(function)[bound and not static :] if each not in given]
    if missing:
        raise InputError(
            f"its test {name} takes {', '.join(missing)}, which nothing gives it here: no fixtures are run, so make it in "
            "the test"
        )
    taken = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    if (unknown := given - taken) and not function.args.kwarg:
        raise InputError(f"its test {name} is parametrized by {min(unknown)}, which it does not take")


def _needed(function: Function) -> list[str]:
    """Return the names of the arguments that a function has to be given."""
    arguments = function.args
    plain = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return plain[: len(plain) - len(arguments.defaults)] + [each.arg for each, default in keywords if default is None]


def _refuse_autouse(fixture: Function) -> None:
    for decorator in fixture.decorator_list:
        if isinstance(decorator, ast.Call) and any(option.arg == "autouse" for option in decorator.keywords):
            raise InputError(f"its fixture {fixture.name} is used by all tests, and no fixtures are run here")


def _refuse_class(node: ast.ClassDef) -> None:
    """Raise InputError where a test class holds what is not run here."""
    for decorator in node.decorator_list:
        if ".mark." in f".{_dotted(decorator)}" and _dotted(decorator).split(".")[-1] in (*_SKIPPING, "parametrize"):
            mark = _dotted(decorator).split(".")[-1]
            raise InputError(f"its test class {node.name} is marked {mark}, which is not run here")
    for part in node.body:
        if isinstance(part, ast.ClassDef) and part.name.startswith("Test"):
            raise InputError(f"its test class {part.name} stands inside {node.name}, where it is not run: move it out")
        if isinstance(part, Function) and "fixture" in {_dotted(each).split(".")[-1] for each in part.decorator_list}:
            _refuse_autouse(part)


def _methods(owner: str, classes: dict[str, ast.ClassDef]) -> dict[str, Function]:
    """Return the definitions of the methods of a class, inherited ones too; the last of a name counts."""
    node = classes[owner]
    bases = [base for each in node.bases if (base := _dotted(each)) in classes and base != owner]
    inherited = [_methods(base, classes) for base in reversed(bases)]
    own = {part.name: part for part in node.body if isinstance(part, Function)}
    return {name: part for methods in [*inherited, own] for name, part in methods.items()}


def _yields(function: Function) -> bool:
    """Tell whether a function is a generator."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def _names(names: Iterable[str]) -> ast.expr:
    return ast.Tuple([ast.Constant(name) for name in names], ast.Load())


def _dotted(node: ast.expr) -> str:
    """Return what a decorator or a base is called: ``pytest.mark.parametrize`` of a call of that."""
    node = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def hidden_test(tree: ast.Module) -> str:
    """Return the name of a function ``test...`` that stands where none is looked for, or of a name given one; or ``""``."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test") and node not in tree.body:
            return node.name
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id.startswith("test"):
                    return target.id
    return ""


def static_names(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the functions of a file of tests that its text shows, and its test methods, as (class, method)."""
    tree = ast.parse(text)
    body = statements_of(tree)
    functions = {node.name for node in body if isinstance(node, Function)}
    called = {name for node in body if not isinstance(node, Function) for name in _called_in(node)}
    return functions | called, set(methods_of_classes(ast.Module(body, [])))
