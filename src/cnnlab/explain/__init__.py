"""Why a network does what it does: what happens by depth while it trains, and what it looks at."""
