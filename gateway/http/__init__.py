"""The routes: each turns HTTP into a call of a use case and its answer or error into HTTP."""
