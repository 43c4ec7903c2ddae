"""Sphinx: the documentation site and the manual pages (`make docs`).

Run as `python -m sphinx` in the top directory, so that `docs` and `fsrvpd` can be imported.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path, PurePosixPath
from typing import Any

from docs.fragments import fragments
from fsrvpd import __version__

project = "fsrvpd"
author = "fsrvpd maintainers"
version = release = __version__
# In the header of the manual pages: the year of the release, so that a build is reproducible.
today = "2026"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "substitution"]
myst_substitutions = fragments()
myst_heading_anchors = 4
highlight_language = "none"
smartquotes = False  # commands are to be copied

html_theme = "furo"
html_title = "fsrvpd"
html_show_copyright = False

man_pages = [
    ("manual/fsrvpd", "fsrvpd", "File Server Remote VSS agent for Samba", "", 8),
    ("manual/fsrvpctl", "fsrvpctl", "administer fsrvpd and set it up beside Samba", "", 8),
    ("manual/fsrvp-snap", "fsrvp-snap", "snapshots by fsrvpd for Samba's own FSRVP agent", "", 8),
    ("manual/fsrvpshadow-shell", "fsrvpshadow-shell", "DISKSHADOW's words for SMB shares", "", 1),
    ("manual/fsrvpshadow", "fsrvpshadow", "consistent copies of SMB shares for backups", "", 1),
    ("manual/fsrvpshadow.toml", "fsrvpshadow.toml", "configuration of fsrvpshadow", "", 5),
    ("manual/fsrvpd.conf-options", "fsrvpd.conf-options", "fsrvpd's options in smb.conf", "", 5),
]

TOP = Path(__file__).parent.parent
# Documents of the top directory that the site shows, by the page that stands for each.
TOP_DOCUMENTS = {
    "top/architecture": "ARCHITECTURE.md",
    "top/contributing": "CONTRIBUTING.md",
    "top/changelog": "CHANGELOG.md",
    "top/security-policy": "SECURITY.md",
}
LINK = re.compile(r"(!?)\[([^]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def setup(app: Any) -> None:
    app.connect("source-read", adapt)


def adapt(app: Any, page: str, source: list[str]) -> None:
    """Put a document of the top directory in its page, and make links right for the site."""
    text, folder = source[0], PurePosixPath("docs", page).parent
    if page in TOP_DOCUMENTS:
        document = TOP / TOP_DOCUMENTS[page]
        app.env.note_dependency(str(document))
        text, folder = document.read_text(), PurePosixPath()
    source[0] = LINK.sub(lambda found: _link(found, folder, PurePosixPath(page).parent), text)


def _link(found: re.Match[str], folder: PurePosixPath, page_folder: PurePosixPath) -> str:
    """A link as seen from a page; a file that is not on the site keeps only its text."""
    image, text, target, anchor = found.groups(default="")
    path = os.path.normpath(folder / target)
    pages = {document: f"docs/{page}.md" for page, document in TOP_DOCUMENTS.items()}
    path = pages.get(path, path)
    if not path.startswith("docs/"):
        return text
    shown = os.path.relpath(path, PurePosixPath("docs", page_folder))
    return f"{image}[{text}]({shown}{anchor})"
