"""Why did a user not get an event? Each node remembers what its sessions did, and judges by that. No I/O."""
