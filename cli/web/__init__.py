"""The web app of `geocmer serve`: a user interface beside the command line, for one user on the same machine.

It holds no knowledge of its own: every answer is one of `geocmer.open`, and every page of it has the command line that
gives the same. `app` puts the rooms together; the front end in `static/` is plain ES modules without a build step.
"""
