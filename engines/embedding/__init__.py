"""Models of meaning that run here: texts in, vectors out."""
