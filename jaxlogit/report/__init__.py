"""What is written about a study: text tables, from what it is handed."""

from jaxlogit.report.text import replay_text, status_text, study_text

__all__ = ["replay_text", "status_text", "study_text"]
