"""Whether a turn is over, by its sound: smart-turn in a worker process of its own. Only ever an advice."""
