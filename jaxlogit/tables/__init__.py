"""Fits as text, as data frames and as HTML."""
