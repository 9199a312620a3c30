"""What cnnlab survives, tried on the user's own machine: kills, damage, full disks, hostile files."""
