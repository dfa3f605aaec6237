"""Speech synthesis: text in, audio out."""
