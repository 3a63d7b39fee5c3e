"""Training a network that labels single cases: its configuration, data and what it leaves."""
