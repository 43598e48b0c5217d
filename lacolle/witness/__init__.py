"""A witness: a small server that any jurisdiction runs, which sees to it that the exchange log only ever grows."""
