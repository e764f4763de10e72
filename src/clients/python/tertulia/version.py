"""The version of this package."""

VERSION = "0.1.0"
"""The version, the same as the service's."""
