"""`python -m arp_cli`."""

from arp_cli.cli import main

main()
