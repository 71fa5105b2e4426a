"""A report as one HTML page: counts, drift, look-alikes, similarities, migrations. Read-only."""

from eduguard.report.facts import Facts, read_facts
from eduguard.report.file import check_file
from eduguard.report.pages import Page, make_page, render
from eduguard.report.similarities import Similarities, count_faces, search_faces
from eduguard.report.thumbnails import read_thumbnails

__all__ = [
    "Facts",
    "Page",
    "Similarities",
    "check_file",
    "count_faces",
    "make_page",
    "read_facts",
    "read_thumbnails",
    "render",
    "search_faces",
]
