"""An installation whose power fails: queue, conversations, spool and audit log, all at the same moment."""
