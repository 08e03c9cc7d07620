"""What is told of each part, in words and tables. Every number in them comes from what was measured."""
