"""What callers say in Hindi, Marathi and English: folded spellings, numbers, times, dates, phrases.

A language is one `HeardWords` in a module of its own (`hindi`, `marathi`, `english`), listed in
`vocabulary.HEARD`, and its phrases in `phrases`. The languages are mixed as callers mix them.
"""
