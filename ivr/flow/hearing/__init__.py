"""What callers say in Hindi, Marathi and English: spellings folded, numbers, times, dates, phrases of intents.

A language is one `HeardWords` in a module of its own (`hindi`, `marathi`, `english`), listed in
`vocabulary.HEARD`, and its phrases in `phrases`. The languages are mixed as callers mix them.
"""
