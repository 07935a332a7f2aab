"""The command line of geocmer: parse, one library call, print."""
