-- The signed removal of the lines at the beginning of the audit trail that retention removed last.
ALTER TABLE @state ADD COLUMN event_removal text NOT NULL DEFAULT '';
