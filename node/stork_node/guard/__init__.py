"""What the guard decides without a socket: how an application's answers are read, and for how long they hold."""
