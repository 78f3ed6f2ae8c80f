"""The commands of arpctl, one a module. Each returns its exit code."""
