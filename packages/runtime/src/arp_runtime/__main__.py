"""`python -m arp_runtime` is `arp-runtime`."""

from arp_runtime.cli import main

main()
