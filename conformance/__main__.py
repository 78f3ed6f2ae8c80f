"""`python -m conformance` is `arp-check`."""

import sys

from conformance.command_line import main

if __name__ == "__main__":
    sys.exit(main())
