"""What a waiting thread feels: probes beside busy threads, and the delays that they note."""
