"""Every link from one document of the checkout to another leads somewhere."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from contracts.tree import ROOT, list_files, read

DOCUMENTS = [path for path in list_files() if path.suffix == ".md"]
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def links(document: Path) -> list[str]:
    """The targets inside the checkout; what has a scheme is somebody else's."""
    found = [inline or reference for inline, reference in LINK.findall(FENCE.sub("", read(document)))]
    return [target for target in found if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def anchors(document: Path) -> set[str]:
    """The fragments of a document's headings, as code hosts make them."""
    titles = HEADING.findall(FENCE.sub("", read(document)))
    kept = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    return {f"{name}-{kept[:i].count(name)}" if kept[:i].count(name) else name for i, name in enumerate(kept)}


def leads_somewhere(document: Path, target: str) -> bool:
    """Whether the file is in the checkout, and the heading in the file."""
    place, _, fragment = unquote(target).partition("#")
    file = (ROOT / document.parent / place).resolve() if place else ROOT / document
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not fragment or fragment in anchors(file.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    """A relative link names a file or folder that is there, and a heading in it where it names one."""
    assert [target for target in links(document) if not leads_somewhere(document, target)] == []


def test_index_names_every_document() -> None:
    """From docs/index.md every document of the folder can be reached."""
    index = Path("docs/index.md")
    reached = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in links(index)}
    documents = {(ROOT / path).resolve() for path in DOCUMENTS if path.parts[0] == "docs" and path != index}
    assert documents - reached == set()
