"""What the code and the pages say of each other: cited sections and linked files are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CITED = re.compile(r'(docs/[a-z]+\.md),(?:\s+section)?\s+"([^"]+)"')
LINKED = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def sections(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE))


def anchor(section: str) -> str:
    """As GitHub makes it of a heading."""
    return "#" + re.sub(r"[^\w\- ]", "", section.lower()).replace(" ", "-")


def test_every_cited_section_exists() -> None:
    sources = [
        path for folder in ("services/rdiverse", "pipelines/rdiverse_pipelines") for path in (ROOT / folder).rglob("*.py")
    ]
    cited = {found for path in sources for found in CITED.findall(path.read_text(encoding="utf-8"))}
    assert len(cited) >= 7
    assert [each for each in sorted(cited) if each[1] not in sections(ROOT / each[0])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target, place in LINKED.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            linked = page.parent / target
            assert linked.exists(), target
            assert not place or place in set(map(anchor, sections(linked))), target + place
    for place in re.findall(r"\]\((#[^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert place in set(map(anchor, sections(page))), place
