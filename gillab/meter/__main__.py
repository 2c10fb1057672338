"""``python -m gillab.meter``: a whole program under a meter."""

import sys

from gillab.meter import main

if __name__ == "__main__":
    sys.exit(main())
