"""What this machine has for the project, and what it lacks: one file a subject, each returns findings."""
