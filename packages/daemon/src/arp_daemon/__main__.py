"""`python -m arp_daemon`."""

from arp_daemon.cli import main

main()
