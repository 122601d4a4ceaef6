"""The conformance battery of methods: what every method keeps, checked on a very small random backbone."""
