"""The message bus: how the gateway's relay and the partners' adapters meet without knowing each other."""
