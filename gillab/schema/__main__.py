"""``python -m gillab.schema`` prints the schema of what ``--export-json`` writes."""

import sys

from gillab.command.schema import main

if __name__ == "__main__":
    sys.exit(main())
