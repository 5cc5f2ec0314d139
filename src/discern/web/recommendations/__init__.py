"""Contents, what people did with them, and the lists made of that."""
