"""Campaigns: many calls of one flow, at hours that suit the callee. `plan` decides, `runner` calls."""
