"""Descriptions of the known data sets, one file each, each with a constant ``DESCRIPTION``."""
