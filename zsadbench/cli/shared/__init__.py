"""What the verbs share: flags, requests, the settings file, progress, output."""
