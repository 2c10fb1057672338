"""How Sphinx builds these pages: ``sphinx-build -W --keep-going -n docs OUT``."""

import gillab

project = "gillab"
author = "the gillab developers"
project_copyright = "the gillab developers"
release = gillab.__version__
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["data", "examples"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"gillab {release}"
html_copy_source = False

# A docstring puts a name between single backquotes; few of these have a page.
default_role = "code"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
# With -n each name in a signature must have an entry. Those of other libraries have none here.
nitpick_ignore_regex = [(r"py:.*", r"(?!gillab\b).*")]
# A private field of Reading, which only its constructor shows.
nitpick_ignore = [("py:class", "gillab.meter.counters.RawReading")]
