"""Sphinx configuration: `sphinx-build -W docs docs/_build`."""

from __future__ import annotations

project = "actors"
author = "the actors team"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "news", "tools"]
html_theme = "furo"
html_title = "actors"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "none"
default_role = "code"
