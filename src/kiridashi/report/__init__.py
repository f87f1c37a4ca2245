"""What a run leaves behind: its folder of results, and the report in one file."""
