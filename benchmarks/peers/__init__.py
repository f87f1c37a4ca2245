"""What others do, written down plainly, to compare with."""
