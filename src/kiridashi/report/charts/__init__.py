"""Charts as SVG whose text stays text: the reader's own fonts serve every language, also in print."""
