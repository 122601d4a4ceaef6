"""What two papers share; nothing lies here before its second user."""
