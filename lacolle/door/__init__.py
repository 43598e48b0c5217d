"""The front door: who may connect, how long they may take, and which certificate they showed."""
