"""The page where somebody logs in: plain HTML without a script. Pure."""

from __future__ import annotations

from html import escape


def login_page(csrf: str, wanted: str, fault: str = "", name: str = "", *, nobody: bool = False) -> str:
    """`fault` is what was wrong with the last try; `nobody`: there is no user yet."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · ivr admin</title>
<link rel="icon" href="/favicon.ico">
<link rel="stylesheet" href="/static/admin.css">
</head>
<body class="door">
<main class="door-card">
<p class="door-mark" aria-hidden="true">ivr<span>admin</span></p>
<h1>Log in</h1>
{_first() if nobody else _form(csrf, wanted, fault, name)}
</main>
</body>
</html>
"""


def _first() -> str:
    return """<p>There is no user yet. Make the first one on the server's machine:</p>
<pre tabindex="0">ivr admin user add NAME --role admin</pre>
<p>It asks for a password; then load this page again.</p>
<p><a class="door-again" href="/login">Load again</a></p>"""


def _form(csrf: str, wanted: str, fault: str, name: str) -> str:
    told = f'<p class="door-fault" role="alert">{escape(fault)}</p>' if fault else ""
    focus = ("", " autofocus") if name else (" autofocus", "")
    return f"""{told}
<form method="post" action="/login">
<input type="hidden" name="csrf" value="{escape(csrf)}">
<input type="hidden" name="next" value="{escape(wanted)}">
<label for="name">Name</label>
<input id="name" name="name" value="{escape(name)}" autocomplete="username" autocapitalize="none"
 spellcheck="false" maxlength="64" required{focus[0]}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 maxlength="256" required{focus[1]}>
<label for="code">One-time code <span>if you use one</span></label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="8" pattern="[0-9 ]*">
<button type="submit">Log in</button>
</form>"""
