"""What the experiments' command lines share: arguments, exports, and how a command ends."""
