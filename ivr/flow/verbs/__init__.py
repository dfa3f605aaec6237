"""The verbs: one module, one class each. To add a verb, write its module and name its class here."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.flow.model import Step
from ivr.flow.verbs.agent import Agent
from ivr.flow.verbs.branch import Branch
from ivr.flow.verbs.collect import Collect
from ivr.flow.verbs.consent import Consent
from ivr.flow.verbs.end import End
from ivr.flow.verbs.flow import SubFlow
from ivr.flow.verbs.menu import Menu
from ivr.flow.verbs.publish import Publish
from ivr.flow.verbs.record import Record
from ivr.flow.verbs.request import Request
from ivr.flow.verbs.say import Say
from ivr.flow.verbs.set import Set
from ivr.flow.verbs.transfer import Transfer
from ivr.flow.verbs.voicemail import Voicemail
from ivr.flow.verbs.wait import Wait

VERBS: Mapping[str, type[Step]] = {
    step.verb: step
    for step in (
        *(Say, Menu, Collect, Record, Consent, Set, Branch),
        *(Request, Publish, SubFlow, Agent, Transfer, Wait, Voicemail, End),
    )
}

__all__ = ["VERBS"]
