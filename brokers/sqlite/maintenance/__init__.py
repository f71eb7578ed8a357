"""Work that consuming processes do beside the messages: recovery, cleanup of ids, giving space back."""
