"""`python -m jaxlogit` is the command `jaxlogit`."""

import sys

from jaxlogit.cli import main

sys.exit(main())
