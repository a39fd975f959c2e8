"""Reports: one conclusion as Markdown, a page, JSON, JUnit XML and lines on a terminal.

All of them are made from the conclusion alone, so they can be made again at any time from the files
of a sweep.
"""

from vcmp.reports.document import verdict, verdict_json
from vcmp.reports.junit import junit
from vcmp.reports.markdown import render
from vcmp.reports.screen import screen
from vcmp.reports.webpage import webpage

__all__ = ["junit", "render", "screen", "verdict", "verdict_json", "webpage"]
