"""Pictures and pages, one look for all."""
