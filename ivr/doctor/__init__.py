"""`ivr trunk doctor`: looks at one trunk from all sides, and says in words what to mend.

Probes (`probe_*`, shells with deadlines) see facts (`facts`); pure checks turn facts into findings, and
`report` those into text or JSON. No probe changes anything, here or at the far end, or takes a port of the
server's.
"""
