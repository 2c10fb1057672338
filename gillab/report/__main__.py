"""``python -m gillab.report``: a page made from saved results."""

import sys

from gillab.command.page import main

if __name__ == "__main__":
    sys.exit(main())
