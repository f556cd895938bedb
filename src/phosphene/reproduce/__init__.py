"""One command for a table of a paper: read it, run it as a grid, set ours beside the paper's."""
