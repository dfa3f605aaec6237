"""Another model in the place of one that is in use, without a call that notices: `machine` decides, `places`
stand between the model and who uses it, `switcher` carries it out.
"""
