"""Makes Discern's model bundles. Only this package imports torch; ``discern`` never imports it."""
