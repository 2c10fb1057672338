"""Other Pythons on this machine: finding them, asking what they are, installing gillab there."""
