"""Calls by the web as a part of the HTTP application: all their routes, over what they share."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from ivr.api.auth import Keys
from ivr.api.gateway import Gateway
from ivr.metrics import Metrics
from ivr.web import phone, routes
from ivr.web.browsers import Browsers
from ivr.web.config import Web
from ivr.web.pages import pages
from ivr.web.sessions import Sessions


def add_web(
    app: FastAPI, gateway: Gateway, settings: Web, keys: Keys, metrics: Metrics, sessions: Sessions
) -> Browsers:
    """What is given back is to be closed when the server stops."""
    browsers = Browsers(gateway, settings, metrics)
    app.include_router(routes.routes(sessions, browsers, settings, keys, metrics))
    app.include_router(phone.routes(gateway, settings.phone, sessions))
    app.include_router(pages(phone=settings.phone.access != "off"))
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Location", "Retry-After"],
            max_age=600,
        )
    return browsers
