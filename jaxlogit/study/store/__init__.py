"""What is kept: a folder of parts and its record, read and written whole or not at all."""
