"""What an exchange is told when it starts, a section a module."""
