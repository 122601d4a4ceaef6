"""Plan, train, evaluate, record: the loops that every method goes through."""
