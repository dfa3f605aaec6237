"""How well recognisers understand: data sets as they lie on disk, a telephone line, and word errors."""
