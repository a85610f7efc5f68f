"""What tracking may load: it runs inside every training process."""

import subprocess
import sys

PROGRAM = """
import sys
before = set(sys.modules)
{statements}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


def packages_of(statements: str) -> set[str]:
    """Top-level names of what the statements load, without the standard library."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statements=statements)], capture_output=True, text=True, check=True
    )
    return {name for name in ran.stdout.split() if name not in sys.stdlib_module_names}


def test_import_runyard_loads_the_standard_library_only() -> None:
    assert packages_of("import runyard") == {"runyard"}


def test_tracking_loads_msgspec_besides() -> None:
    # typing_extensions: msgspec takes it if it is there
    assert packages_of("import runyard; runyard.start_run") <= {"runyard", "msgspec", "typing_extensions"}


def test_tracking_loads_none_of_the_slow_modules() -> None:
    program = (
        "import runyard; runyard.start_run; slow = {'numpy', 'dataclasses', 'pydantic', 'sqlalchemy', 'socket',"
        "'threading', 'subprocess', 'tempfile', 'shutil', 'logging', 'asyncio', 'multiprocessing', 'sqlite3'};"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )

    packages_of(program)


def test_a_training_loads_no_plans_and_no_yaml() -> None:
    program = (
        "import sys, types; import runyard.project.child; from runyard.config import Config, find_config, revalidate;"
        "module = types.ModuleType('config'); module.DEFAULT = type('C', (Config,), {'__module__': 'config'})();"
        "revalidate({}, type(find_config(module).default));"
        "slow = {'ruamel', 'ruamel.yaml', 'numpy', 'sqlalchemy', 'runyard.config.plan', 'runyard.config.expansion',"
        "'runyard.config.overrides', 'runyard.client', 'runyard.index', 'sqlite3', 'asyncio', 'subprocess'};"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )

    packages_of(program)
