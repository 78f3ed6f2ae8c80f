"""The commands of `arp-daemon`, a module each."""
