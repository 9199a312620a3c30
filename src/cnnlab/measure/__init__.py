"""How fast: the time and memory of each operation of a network, held against what this machine can do."""
