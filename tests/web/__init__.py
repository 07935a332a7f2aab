"""Tests of the web app. A package, so that its conftest.py has a name of its own for the type checker."""
