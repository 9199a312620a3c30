"""Side by side: the figures of docs/performance.md, ours and the peers' in turns, one file a row."""
