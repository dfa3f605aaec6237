"""`ivr eval talk`: simulated callers over real SIP and RTP, and how well they were served."""
