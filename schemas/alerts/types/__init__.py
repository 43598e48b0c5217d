"""One module per type of alert, or small family of types; the catalogue finds each by itself."""
