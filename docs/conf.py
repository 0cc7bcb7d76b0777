"""How the site is built: `sphinx-build -W docs build/docs`; nothing is fetched."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # nothing is computed but defaults of signatures

import jaxlogit  # noqa: E402  from this copy of the source

project = "jaxlogit"
author = "The jaxlogit authors"
copyright = author  # Sphinx's name for the line at the foot of a page
version = release = jaxlogit.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_argparse_cli",
    "jaxlogit_site",
]
exclude_patterns = ["_ext"]

# Single backticks in docstrings are names: links where the site has them, code elsewhere.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]
add_module_names = False
autodoc_typehints = "none"  # numpydoc's sections have types with shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "jaxlogit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
smartquotes = False  # "lr" is to be copied as it is
pygments_style = "friendly"
