"""What a person reads in the end: tables, plots, one self-contained page."""
