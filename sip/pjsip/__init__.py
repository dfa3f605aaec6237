"""The second SIP stack: signalling by PJSIP (pjsua2), media by ours. docs/pjsip.md says when to choose it."""
