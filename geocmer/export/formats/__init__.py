"""The export formats, one module each: `FORMATS` in it names them, and nothing else needs to know of a new one."""
