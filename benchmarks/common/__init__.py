"""What the benchmarks of the promptable model share: options, tables and the record of the machine."""
