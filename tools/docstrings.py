"""Docstrings as the documentation shows them: an extension of mkdocstrings' collector.

Our docstrings are written for ``help()`` and have a little reStructuredText in them: roles,
simple tables, literal blocks.  The documentation is Markdown.
"""

from __future__ import annotations

from typing import Any

import griffe

from tools.markup import to_markdown

__all__ = ["Docstrings"]


class Docstrings(griffe.Extension):
    """Rewrites every docstring once, when it is collected."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ANN401 - the extension's interface
        """One module, class, function or attribute."""
        del kwargs
        if obj.docstring is None:
            return
        text = obj.docstring.value
        if obj.is_class and obj.module.path.startswith("wirecut.faults."):
            text = _with_the_story(text, obj.module)
        obj.docstring.value = to_markdown(text)


def _with_the_story(text: str, module: griffe.Module) -> str:
    """An effect's docstring with its module's, since one effect is one file."""
    if module.docstring is None or len(module.exports or ()) != 1:
        return text
    summary, _, rest = text.partition("\n\n")
    _, _, story = module.docstring.value.partition("\n\n")
    return "\n\n".join(part for part in (summary, story, rest) if part)
