"""`ivr trace`: the waterfalls of a call's turns, as text, a picture or figures."""
