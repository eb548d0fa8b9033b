"""What a reader finds in a page: links, text, and tables."""

from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """The links, the text, and the rows of the tables of a page, each cell as its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._tag, self._in_cell = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._tag = tag
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._tag in ("style", "script"):
            return
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data
