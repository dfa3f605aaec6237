"""What a model may look up: folders of Markdown and of tables, searched by words and, where it is configured,
by meaning.
"""
